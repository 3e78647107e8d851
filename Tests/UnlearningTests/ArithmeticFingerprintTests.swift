import Testing
import Unlearning

@Suite("Arithmetic fingerprint")
struct ArithmeticFingerprintTests {
    @Test("It is the same every time, differs between precisions, and is made quickly")
    func stable() throws {
        let clock = ContinuousClock()
        let start = clock.now
        let single = try ArithmeticFingerprint.compute(precision: .f32)
        #expect(clock.now - start < .seconds(10))
        #expect(single.count == 64)
        #expect(try ArithmeticFingerprint.compute(precision: .f32) == single)
        #expect(try ArithmeticFingerprint.compute(precision: .bf16) != single)
    }
}
