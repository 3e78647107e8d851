import LanguageModels
import Testing

@Suite("GGUF files in parts")
struct SplitGGUFTests {
    private func number(_ value: UInt16) -> GGUFBuilder.Value {
        .raw(type: 2, bytes: [UInt8(truncatingIfNeeded: value), UInt8(value >> 8)])
    }

    /// The tiny model in two parts, as `gguf-split` writes it.
    private func parts() -> [GGUFBuilder] {
        var (first, second) = (GGUFBuilder.tiny(), GGUFBuilder.tiny())
        let all = first.tensors
        first.tensors = Array(all[..<5])
        second.tensors = Array(all[5...])
        second.metadata = []
        for (index, part) in [0, 1].enumerated() {
            let metadata: [(String, GGUFBuilder.Value)] = [
                ("split.no", number(UInt16(part))), ("split.count", number(2)),
                ("split.tensors.count", .raw(type: 5, bytes: [UInt8(all.count), 0, 0, 0])),
            ]
            for (key, value) in metadata {
                if index == 0 { first.set(key, value) } else { second.set(key, value) }
            }
        }
        return [first, second]
    }

    private func reason(path: String = "", _ change: (inout [GGUFBuilder]) -> Void) throws -> String {
        var parts = parts()
        change(&parts)
        return try withTemporaryDirectory { directory in
            for (index, part) in parts.enumerated() {
                try write(part.bytes(), to: "\(directory)/model-0000\(index + 1)-of-00002.gguf")
            }
            do {
                _ = try ModelLoader.load(path: directory + path)
                return "accepted"
            } catch let error as LanguageModelError { return error.description }
        }
    }

    @Test("A model in parts is the same model as in one file, named by its directory or by its first part")
    func same() throws {
        try withTemporaryDirectory { directory in
            try write(GGUFBuilder.tiny().bytes(), to: "\(directory)/whole.gguf")
            let whole = try ModelLoader.load(path: "\(directory)/whole.gguf").checkpoint
            for (index, part) in parts().enumerated() {
                try write(part.bytes(), to: "\(directory)/model-0000\(index + 1)-of-00002.gguf")
            }
            let split = try ModelLoader.load(path: "\(directory)/model-00001-of-00002.gguf").checkpoint
            #expect(split.digest == whole.digest)
            for (name, _) in whole.configuration.expectedTensors {
                #expect(try split.floats(of: name) == whole.floats(of: name))
            }
        }
        #expect(try reason { _ in } == "accepted")
    }

    @Test("Parts that are missing, contradict each other or are not the first are named")
    func refused() throws {
        #expect(try reason { $0.removeLast() }.contains("model-00002-of-00002.gguf"))
        #expect(try reason(path: "/model-00002-of-00002.gguf") { _ in }.contains("name the first"))
        #expect(try reason { $0[1].set("split.no", number(0)) }.contains("part 2 of 2"))
        #expect(try reason { $0[0].set("split.count", number(3)) }.contains("-00001-of-00003.gguf"))
        #expect(try reason { $0[1].tensors.append($0[0].tensors[0]) }.contains("stands in two parts"))
        #expect(
            try reason { $0[0].set("split.tensors.count", .raw(type: 5, bytes: [9, 0, 0, 0])) }.contains("not 9"))
    }
}
