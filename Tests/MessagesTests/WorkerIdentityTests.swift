import Messages
import Testing

@Suite("Ids of workers")
struct WorkerIdentityTests {
    @Test("An id belongs to one secret, is a UUID, and says that it does")
    func made() {
        let (one, other) = (WorkerIdentity.makeSecret(), WorkerIdentity.makeSecret())
        let id = WorkerIdentity.id(secret: one)
        #expect(one != other && one.utf8.count == 64 && id == WorkerIdentity.id(secret: one))
        #expect(id != WorkerIdentity.id(secret: other) && WorkerIdentity.isMade(fromSecret: id))
        #expect(WorkerIdentity.isMade(fromSecret: id.lowercased()) && id != id.lowercased())
        // For ever the same: directories keep it.
        #expect(WorkerIdentity.id(secret: "s") == "82874B38-FD8B-8DA3-8AA8-8487B864514D")
    }

    @Test("Other ids do not", arguments: ["", "w", "5B2C4E0F-8C0B-4A0C-9F58-5F1B1F0E7A11", "é"])
    func random(_ id: String) {
        #expect(!WorkerIdentity.isMade(fromSecret: id))
    }

    @Test("Text from outside moves no cursor and breaks no line")
    func printable() {
        #expect("a\u{1B}[2J\nb\u{202E}c\u{2028}".printable == "a\u{FFFD}[2J\u{FFFD}b\u{FFFD}c\u{FFFD}")
        #expect("Jörg 請求 🙂".printable == "Jörg 請求 🙂")
    }
}
