import Messages
import Testing

@Suite("Errors that name very many")
struct LongListsTests {
    @Test("Whom a forget request names in vain is listed; of very many the first, whole, and how many more there are")
    func unknown() throws {
        let few = ClientError(LedgerError.unknownData(users: ["ann", "bob"], interactions: []))
        #expect(few.message == "no user ann, bob; nothing was forgotten")
        let users = (0..<200_000).map { "somebody \($0)" }
        let targets = users.map { ClientRequest.ForgetRequest.Target(user: $0, item: "i", timestamp: nil) }
        let many = ClientError(LedgerError.unknownData(users: users, interactions: targets))
        #expect(many.message.count <= WireLimits.errorText)
        let named = try #require(many.message.firstMatch(of: /no user (.*?) and ([0-9]+) more; no interaction/))
        let names = named.output.1.split(separator: ", ").map(String.init)
        #expect(names == Array(users.prefix(names.count)))
        #expect(Int(named.output.2) == users.count - names.count)
        #expect(many.message.hasSuffix(" more; nothing was forgotten"))
    }

    @Test("A name that is longer than a list may be is named all the same, alone")
    func long() {
        let name = String(repeating: "x", count: 2 * WireLimits.listedBytes)
        #expect([name, "y"].listed == name + " and 1 more")
        #expect(["y", name].listed == "y and 1 more")
        #expect([String]().listed == "")
    }
}
