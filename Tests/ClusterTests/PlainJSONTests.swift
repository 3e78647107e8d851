import Experiments
import Foundation
import LanguageModels
import Messages
import Testing
import Unlearning

@Suite("JSON that others read")
struct PlainJSONTests {
    private static let provenance = ApproximateProvenance(
        method: .ifru, original: "a", result: "b", forgotten: 1, corrections: 2)
    private static let dampings: [IFRUConfiguration.Damping] = [.fixed(0.5), .relative([0.1, 1]), .prepared]

    /// One of every enum with values that stands in replies, in what is stored, or in reports.
    private static var samples: [any Codable & Sendable] {
        var samples: [any Codable & Sendable] = []
        for damping in dampings {
            var configuration = IFRUConfiguration()
            configuration.damping = damping
            samples.append(CorrectionMethod.ifru(configuration))
        }
        samples.append(CorrectionMethod.e2urec(E2URecConfiguration()))
        samples += [AdapterProvenance.trained, AdapterProvenance.approximate(provenance)] as [any Codable & Sendable]
        samples += [GraphForgetting.Amount.share(0.1), GraphForgetting.Amount.count(3)] as [any Codable & Sendable]
        let scalings: [RopeScaling] = [
            .linear(factor: 2), .divisors([1, 2]),
            .llama3(factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContext: 8192),
        ]
        samples += scalings as [any Codable & Sendable]
        let measured: [MeasuredCorrection] = [
            .ifru(trial: nil, forgotten: MarginChange(prompts: 1, meanFromLabel: 0.1, largest: 0.2)),
            .e2urec(forgetLosses: [1], pairLosses: [2]),
        ]
        samples += measured as [any Codable & Sendable]
        samples.append(
            CorrectionReport(provenance: provenance, method: .ifru(IFRUConfiguration())))
        return samples
    }

    @Test("No encoding of Swift's own shows, and everything is read back as it was")
    func plain() throws {
        func check<Value: Codable>(_ value: Value) throws {
            let data = try ReplyCoding.encode(value)
            let text = String(decoding: data, as: UTF8.self)
            #expect(!text.contains("\"_"), "\(text)")
            let again = try ReplyCoding.encode(ReplyCoding.decode(Value.self, from: data))
            #expect(String(decoding: again, as: UTF8.self) == text)
        }
        for sample in Self.samples { try check(sample) }
    }

    @Test("What ledgers of before have is still read")
    func older() throws {
        let decoder = JSONDecoder()
        func read<Value: Decodable>(_ type: Value.Type, _ text: String) throws -> Value {
            try decoder.decode(type, from: Data(text.utf8))
        }
        let encoded = String(decoding: try JSONEncoder().encode(Self.provenance), as: UTF8.self)
        #expect(
            try read(AdapterProvenance.self, "{\"approximate\":{\"_0\":\(encoded)}}") == .approximate(Self.provenance))
        #expect(try read(AdapterProvenance.self, "{\"trained\":{}}") == .trained)
        #expect(try read(IFRUConfiguration.Damping.self, "{\"fixed\":{\"_0\":0.5}}") == .fixed(0.5))
        #expect(try read(IFRUConfiguration.Damping.self, "{\"relative\":{\"_0\":[0.1,1]}}") == .relative([0.1, 1]))
        #expect(try read(IFRUConfiguration.Damping.self, "{\"prepared\":{}}") == .prepared)
        let settings = String(decoding: try JSONEncoder().encode(E2URecConfiguration()), as: UTF8.self)
        #expect(
            try read(CorrectionMethod.self, "{\"e2urec\":{\"_0\":\(settings)}}") == .e2urec(E2URecConfiguration()))
        #expect(throws: (any Error).self) { try read(IFRUConfiguration.Damping.self, "\"best\"") }
    }
}
