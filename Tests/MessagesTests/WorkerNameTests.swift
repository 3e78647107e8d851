import Messages
import Testing

@Suite("Names of workers")
struct WorkerNameTests {
    @Test(
        "A name has 1 to 64 printable bytes and no blanks",
        arguments: [
            "", String(repeating: "a", count: 65), String(repeating: "é", count: 33), "a b", "a\tb", "a\n", "\u{1B}[2J",
            "a\u{202E}b", "a\u{A0}b", "\u{FEFF}",
        ])
    func bad(_ name: String) { #expect(WorkerName.objection(to: name) != nil) }

    @Test("Others are taken as they are", arguments: ["a", "node7-1", "Jörg", "請求", "rack1/node7:2"])
    func good(_ name: String) { #expect(WorkerName.objection(to: name) == nil) }

    @Test("Of a host and a process the host is left, fit for a name and with room for a number")
    func hosts() {
        #expect(WorkerName.host(of: "node7.example.org:4711") == "node7.example.org")
        #expect(WorkerName.host(of: "node7") == "node7")
        #expect(WorkerName.host(of: "") == "worker" && WorkerName.host(of: ":1") == "worker")
        let long = WorkerName.host(of: String(repeating: "請", count: 100) + ":1")
        #expect(WorkerName.objection(to: WorkerName.numbered(host: long, taken: [])) == nil)
        #expect(WorkerName.host(of: "a b\u{7}:1") == "a_b_")
    }

    @Test("The smallest number that is free is taken")
    func numbers() {
        #expect(WorkerName.numbered(host: "n", taken: ["n-1", "n-3", "m-2"]) == "n-2")
        #expect(WorkerName.isNumbered("n-12", host: "n"))
        for other in ["n", "n-", "n-1a", "m-1", "n-1-2", "nn-1"] { #expect(!WorkerName.isNumbered(other, host: "n")) }
    }
}
