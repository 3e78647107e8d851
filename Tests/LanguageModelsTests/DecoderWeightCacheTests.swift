import Foundation
import LanguageModels
import Testing

struct DecoderWeightCacheTests {
    /// Counts how often tensors are read.
    final class Counting: Checkpoint, @unchecked Sendable {
        var reads = 0
        var configuration: ModelConfiguration { TinyModel.llama.configuration }
        var digest: String { "counting" }
        func shape(of name: String) -> [Int]? { TinyModel.llama.shape(of: name) }
        func floats(of name: String) throws -> [Float] {
            reads += 1
            return try TinyModel.llama.floats(of: name)
        }
    }

    private func margins(_ checkpoint: any Checkpoint, _ precision: Precision, _ directory: String) throws -> [Float] {
        let weights = try DecoderWeights(
            checkpoint: checkpoint, precision: precision, answerTokens: TinyModel.answerTokens,
            cacheDirectory: directory)
        return try Decoder(weights: weights, threads: 1)
            .answerLogits(prompts: TinyModel.prompts(4), adapters: nil, weights: nil).map(\.margin)
    }

    private func temporaryDirectory() -> String {
        FileManager.default.temporaryDirectory.appendingPathComponent("weights-\(UUID().uuidString)").path
    }

    @Test("Packed weights are read from the cache the second time", arguments: Precision.allCases)
    func cached(precision: Precision) throws {
        let directory = temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let checkpoint = Counting()
        let first = try margins(checkpoint, precision, directory)
        let reads = checkpoint.reads
        #expect(reads > 0)
        #expect(try margins(checkpoint, precision, directory) == first)
        #expect(checkpoint.reads == reads)
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory).count == 1)
    }

    @Test("Another precision has another file")
    func keys() throws {
        let directory = temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        _ = try margins(Counting(), .f32, directory)
        _ = try margins(Counting(), .bf16, directory)
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory).count == 2)
    }

    @Test("A damaged or cut cache file is written again")
    func damaged() throws {
        let directory = temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let checkpoint = Counting()
        let expected = try margins(checkpoint, .f32, directory)
        let name = try #require(FileManager.default.contentsOfDirectory(atPath: directory).first)
        let url = URL(fileURLWithPath: directory).appendingPathComponent(name)
        let bytes = try Data(contentsOf: url)
        var damaged = bytes
        damaged[20] ^= 0xFF
        for content in [damaged, bytes.prefix(bytes.count / 2), Data()] {
            try content.write(to: url)
            checkpoint.reads = 0
            #expect(try margins(checkpoint, .f32, directory) == expected)
            #expect(checkpoint.reads > 0)
        }
    }

    @Test("One changed byte anywhere in the file is noticed, and the weights are packed again", arguments: 0..<8)
    func changedByte(eighth: Int) throws {
        let directory = temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let checkpoint = Counting()
        let expected = try margins(checkpoint, .f32, directory)
        let name = try #require(FileManager.default.contentsOfDirectory(atPath: directory).first)
        let url = URL(fileURLWithPath: directory).appendingPathComponent(name)
        var bytes = try Data(contentsOf: url)
        bytes[min(4096 + (bytes.count - 4096) * eighth / 7, bytes.count - 1)] ^= 0x80
        try bytes.write(to: url)
        chmod(url.path, 0o600)
        checkpoint.reads = 0
        #expect(try margins(checkpoint, .f32, directory) == expected)
        #expect(checkpoint.reads > 0)
        #expect(try Data(contentsOf: url) != bytes)
    }

    @Test("The file and its folder are private, and a file that others may write is not used")
    func isPrivate() throws {
        let directory = temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let checkpoint = Counting()
        _ = try margins(checkpoint, .f32, directory)
        let path = try "\(directory)/" + #require(FileManager.default.contentsOfDirectory(atPath: directory).first)
        func mode(_ path: String) -> mode_t {
            var status = stat()
            return stat(path, &status) == 0 ? status.st_mode & 0o777 : 0
        }
        #expect(mode(directory) == 0o700 && mode(path) == 0o600)
        chmod(path, 0o666)
        checkpoint.reads = 0
        _ = try margins(checkpoint, .f32, directory)
        #expect(checkpoint.reads > 0 && mode(path) == 0o600)
        chmod(path, 0o644)
        checkpoint.reads = 0
        _ = try margins(checkpoint, .f32, directory)
        #expect(checkpoint.reads == 0 && mode(path) == 0o600)
    }

    @Test("Where no file can be written the weights stay in memory")
    func unwritable() throws {
        let expected = try margins(Counting(), .f32, "/proc/no/such/directory")
        let directory = temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        #expect(try margins(Counting(), .f32, directory) == expected)
    }

    @Test("A failing checkpoint leaves no file behind")
    func failing() throws {
        struct Failing: Checkpoint {
            var configuration: ModelConfiguration { TinyModel.llama.configuration }
            var digest: String { "failing" }
            func shape(of name: String) -> [Int]? { TinyModel.llama.shape(of: name) }
            func floats(of name: String) throws -> [Float] { throw LanguageModelError.notFinite(name: name) }
        }
        let directory = temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        #expect(throws: LanguageModelError.self) { try margins(Failing(), .f32, directory) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory).isEmpty)
    }
}
