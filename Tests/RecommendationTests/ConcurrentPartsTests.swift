import Recommendation
import Testing

@Suite("Work on parts of an array")
struct ConcurrentPartsTests {
    @Test(
        "Every element is in one part, and the results are in the parts' order", arguments: [0, 1, 63, 64, 128, 1000])
    func order(count: Int) {
        let elements = Array(0..<count)
        for _ in 0..<20 {
            let parts: [[Int]] = elements.concurrentlyByParts { Array($0) }
            #expect(Array(parts.joined()) == elements)
        }
    }
}
