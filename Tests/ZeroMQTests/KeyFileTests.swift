import Foundation
import Testing
import ZeroMQ

@Suite("Files of CURVE keys")
struct KeyFileTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
        "lethe-keys-\(UUID().uuidString)")

    @Test("A key is read from what editors and shells of other systems make of its file")
    func forms() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let pair = try CurveKeyPair.generate()
        let path = folder.appendingPathComponent("own").path
        try pair.write(to: path)
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let crlf = text.replacingOccurrences(of: "\n", with: "\r\n")
        let fieldsOnly = text.split(separator: "\n").dropFirst().map { $0.trimmingCharacters(in: .whitespaces) }
        let forms: [(String, Data)] = [
            ("CRLF", Data(crlf.utf8)), ("CR", Data(text.replacingOccurrences(of: "\n", with: "\r").utf8)),
            ("mark", Data(("\u{FEFF}" + text).utf8)), ("mark and CRLF", Data(("\u{FEFF}" + crlf).utf8)),
            ("mark before a field", Data(("\u{FEFF}" + fieldsOnly.joined(separator: "\r\n")).utf8)),
            ("trailing spaces", Data(text.replacingOccurrences(of: "\n", with: " \t\n").utf8)),
            ("UTF-16", Data([0xFF, 0xFE]) + (crlf.data(using: .utf16LittleEndian) ?? Data())),
            ("UTF-16, the other way round", Data([0xFE, 0xFF]) + (crlf.data(using: .utf16BigEndian) ?? Data())),
        ]
        for (name, bytes) in forms {
            try bytes.write(to: URL(fileURLWithPath: path))
            chmod(path, 0o600)
            #expect(try CurveKeyPair(contentsOf: path).publicKey == pair.publicKey, "\(name)")
            #expect(try CurvePublicKey(contentsOf: path) == pair.publicKey, "\(name)")
        }
    }

    @Test(arguments: ["own", "own.pub"])
    func `Where there is a file of one of the names, none is made, and that one stays as it was`(name: String) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let there = folder.appendingPathComponent(name)
        try Data("another's".utf8).write(to: there)
        let pair = try CurveKeyPair.generate()
        #expect {
            try pair.write(to: folder.appendingPathComponent("own").path)
        } throws: {
            "\($0)".contains("\(there.path): File exists")
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [name])
        #expect(try Data(contentsOf: there) == Data("another's".utf8))
        try FileManager.default.removeItem(at: there)
        try pair.write(to: folder.appendingPathComponent("own").path)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["own", "own.pub"])
        for name in ["own", "own.pub"] {
            let made = try FileManager.default.attributesOfItem(atPath: folder.appendingPathComponent(name).path)
            #expect(made[.posixPermissions] as? NSNumber == 0o600)
        }
    }

    @Test func `What a process left that was killed while it wrote the same file goes with the next write`() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        // The second name of a secret key that was given its own, and what was never given one.
        let names = [".lethe-key-own-17", ".lethe-key-own.pub-18", ".lethe-key-other-19", ".lethe-key-own-20"]
        for name in names { try Data("a key".utf8).write(to: folder.appendingPathComponent(name)) }
        // One that is still at it.
        let held = Foundation.open(folder.appendingPathComponent(names[3]).path, O_RDONLY)
        defer { close(held) }
        #expect(held >= 0 && flock(held, LOCK_EX | LOCK_NB) == 0)
        try CurveKeyPair.generate().write(to: folder.appendingPathComponent("own").path)
        let left = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(left == [".lethe-key-other-19", ".lethe-key-own-20", "own", "own.pub"])
    }

    @Test func `A pair of which one file cannot be made leaves nothing`() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        // A name for which there is room, but not with .pub behind it.
        let path = folder.appendingPathComponent(String(repeating: "k", count: 253)).path
        #expect(throws: ZeroMQError.self) { try CurveKeyPair.generate().write(to: path) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }
}
