import Foundation
import Messages
import Service
import Testing
import ZeroMQ

@Suite("The text of a list of keys")
struct AllowListTextTests {
    private func key() throws -> CurvePublicKey { try CurveKeyPair.generate().publicKey }

    private func parsed(_ text: String) throws(AllowListError) -> AllowListText {
        try AllowListText(parsing: Array(text.utf8))
    }

    private func why(_ text: String) -> AllowListError? {
        do throws(AllowListError) {
            _ = try parsed(text)
            return nil
        } catch {
            return error
        }
    }

    @Test func `Roles, key, name, worker and comment are read; empty lines and comments say nothing`() throws {
        let (first, second, third) = (try key(), try key(), try key())
        let id = UUID().uuidString
        let list = try parsed(
            """
            \u{FEFF}# who may connect\r
            query,forget \(first) name=shop # the shop's back end\r

              worker\t\(second)   worker=\(id.lowercased())
            worker,audit \(third) worker=node7 name=seven
            """)
        #expect(
            list.entries == [
                KeyEntry(key: first, roles: [.query, .forget], name: "shop"),
                KeyEntry(key: second, roles: [.worker], worker: .worker(id: id)),
                KeyEntry(key: third, roles: [.worker, .audit], name: "seven", worker: .named("node7")),
            ])
    }

    @Test func `A # in a key is a part of the key`() throws {
        var key = try key()
        for _ in 0..<1000 where !key.text.contains("#") { key = try self.key() }
        try #require(key.text.contains("#"))
        #expect(try parsed("query \(key) # comment").entries == [KeyEntry(key: key, roles: [.query])])
    }

    @Test(
        "What is not understood is refused with its line, and nothing of the list is used",
        arguments: [
            ("KEY", "no role"), ("all KEY", "no role"), ("query,,data KEY", "no role"), (",query KEY", "no role"),
            ("QUERY KEY", "no role"), ("query", "public key"), ("query name=a KEY", "40 characters"),
            ("query KEY trailing", "neither"), ("query KEY name=", "neither"), ("query KEY colour=red", "neither"),
            ("query KEY name=a name=b", "twice"), ("query KEY worker=any", "role worker"),
            ("query KEY name=local", "without a key"), ("query KEY name=a\u{7}b", "control"),
            ("worker KEY worker=ANY", "looks like worker=any"), ("worker KEY worker=First", "looks like worker=first"),
            ("query KEY name=\u{202E}b", "control"), ("query KEY\u{0}", "control"),
            ("query \u{1F600}KEY", "40 characters"), ("query rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7", "manual page"),
        ])
    func refused(_ line: String, _ reason: String) throws {
        let text = "# heading\n\(line.replacingOccurrences(of: "KEY", with: try key().text))\n"
        let refusal = try #require(why(text))
        #expect(refusal.line == 2 && refusal.reason.contains(reason), "\(refusal)")
    }

    @Test func `A key or a name that is there twice is refused: one of the lines would be passed over in silence`()
        throws
    {
        let (one, other) = (try key(), try key())
        #expect(why("query \(one)\nadmin \(one)\n")?.line == 2)
        #expect(why("query \(one) name=a\nadmin \(other) name=a\n")?.reason.contains("another key's") == true)
    }

    @Test func `What was cut off to nothing is damaged, a list of comments alone lets nobody in`() throws {
        for text in ["", "\n\n", " \t\n"] { #expect(why(text)?.reason.contains("empty") == true) }
        #expect(try parsed("# nobody\n").entries.isEmpty)
    }

    @Test func `Bytes that are no text, very long lists and very many keys are refused`() throws {
        #expect(throws: AllowListError.self) { try AllowListText(parsing: [0xFF, 0xFE, 0x00]) }
        #expect(throws: AllowListError.self) {
            try AllowListText(parsing: [UInt8](repeating: UInt8(ascii: "#"), count: AllowListText.largest + 1))
        }
        let lines = (0...AllowListText.mostKeys).compactMap { number in
            let bytes = withUnsafeBytes(of: UInt64(number).bigEndian) { Array($0) }
            return CurvePublicKey(bytes: [UInt8](repeating: 1, count: 24) + bytes).map { "query \($0)\n" }
        }
        #expect(why(lines.joined())?.line == AllowListText.mostKeys + 1)
        #expect(try parsed(lines.dropLast().joined()).entries.count == AllowListText.mostKeys)
    }

    @Test func `A change leaves the other lines and the key's comment as they were written`() throws {
        let (one, other) = (try key(), try key())
        var list = try parsed("# heading\n\nquery   \(one)  # one\nadmin \(other) name=b  # other\n")
        try list.allow(KeyEntry(key: one, roles: [.worker, .query], name: "a", worker: .any))
        #expect(
            list.text == "# heading\n\nworker,query \(one) name=a worker=any  # one\nadmin \(other) name=b  # other\n")
        #expect(list.revoke("b")?.key == other)
        #expect(list.revoke("b") == nil && list.revoke(other.text) == nil)
        #expect(list.revoke(one.text)?.name == "a")
        #expect(list.text == "# heading\n\n")
    }

    @Test(
        arguments: ["\u{B}", "\u{C}", "\r", "\u{85}", "\u{2028}", "\u{2029}", "\u{1C}", "\u{0}", "\r\r\n", "\n\r"])
    func `No key hides in a comment behind what ends a line for some readers only`(separator: String) throws {
        let key = try key()
        let refusal = why("# heading\n# old laptop\(separator)admin \(key)\nquery \(try self.key())\n")
        #expect(refusal?.line == (separator == "\n\r" ? 3 : 2) && refusal?.reason.contains("CR LF") == true)
        // Nor does one come in behind it.
        #expect(why("# heading\nadmin \(key) # mine\(separator)")?.line == (separator == "\n\r" ? 3 : 2))
    }

    @Test func `Every byte that nobody changes stays: mark, CR LF, spaces, and that the last line has no end`() throws {
        let (one, other, third) = (try key(), try key(), try key())
        func text(_ line: String) -> String {
            "\u{FEFF}# e\u{301}\r\n\r\n \t\n\(line)\r\nadmin \(other) # \u{E9}"
        }
        let before = text("query   \(one)  # one")
        var list = try parsed(before)
        #expect(Array(list.text.utf8) == Array(before.utf8))
        try list.allow(KeyEntry(key: one, roles: [.audit]))
        let changed = text("audit \(one)  # one")
        #expect(Array(list.text.utf8) == Array(changed.utf8))
        try list.allow(KeyEntry(key: third, roles: [.data]))
        #expect(Array(list.text.utf8) == Array((changed + "\r\ndata \(third)\r\n").utf8))
        #expect(list.revoke(third.text) != nil)
        #expect(Array(list.text.utf8) == Array((changed + "\r\n").utf8))
        #expect(try parsed(list.text).entries.map(\.key) == [one, other])
    }

    @Test func `What --worker takes for a word of its own is that word on the list too`() throws {
        let key = try key()
        for (word, binding) in [("first", WorkerBinding.firstUse), ("any", .any), ("firsts", .named("firsts"))] {
            #expect(try WorkerBinding(word) == binding)
            #expect(try parsed("worker \(key) worker=\(word)\n").entries.map(\.worker) == [binding])
        }
        for name in ["ANY", "FIRST", "any", "first"] {
            var list = AllowListText()
            #expect(throws: AllowListError.self) {
                try list.allow(KeyEntry(key: key, roles: [.worker], worker: .named(name)))
            }
        }
    }

    @Test func `Whatever may be put on the list is read as it was meant`() throws {
        var list = AllowListText()
        var entries: [KeyEntry] = []
        for binding in [WorkerBinding.firstUse, .any, .named("node"), .worker(id: UUID().uuidString)] {
            entries.append(KeyEntry(key: try key(), roles: [.worker, .gateway], worker: binding))
            entries.append(
                KeyEntry(key: try key(), roles: Set(KeyRole.allCases), name: "n\(entries.count)", worker: binding))
        }
        for entry in entries { try list.allow(entry) }
        #expect(list.entries == entries)
        #expect(try parsed(list.text).entries == entries)
        for name in ["", "a b", "a#b", "local", "a\nb", entries[0].key.text, "n1"] {
            #expect(throws: AllowListError.self) {
                try list.allow(KeyEntry(key: try key(), roles: [.query], name: name))
            }
        }
        #expect(list.entries == entries)
    }
}
