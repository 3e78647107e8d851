import Messages
import Testing

@Suite struct ServingMessagesTests {
    private let table = AttentionTable(
        digests: ["d1", "d2"], ids: ["p1", "p2"], labels: [true, false], embeddings: [1, 2, 3, 4, 5, 6], dimension: 3,
        rows: [
            .init(shard: 0, adapter: "a", margins: [0.5, -0.5]), .init(shard: 2, adapter: "b", margins: [1, .nan]),
        ])

    @Test func `Reference rows come as they were sent, under the name of their content`() throws {
        let payloads = try AttentionTableBytes.payloads(table)
        let read = try AttentionTableBytes.table(payloads)
        #expect(read.digests == table.digests && read.ids == table.ids && read.labels == table.labels)
        #expect(read.embeddings == table.embeddings && read.dimension == 3)
        #expect(read.rows.map(\.adapter) == ["a", "b"] && read.rows.map(\.shard) == [0, 2])
        #expect(read.rows[0].margins == [0.5, -0.5] && read.rows[1].margins[1].isNaN)
        var other = table
        other.rows[0].margins[0] = 0.25
        #expect(
            try AttentionTableBytes.digest(payloads) != AttentionTableBytes.digest(AttentionTableBytes.payloads(other)))
        // Where one payload ends and the next begins counts.
        #expect(AttentionTableBytes.digest([[1], [2, 3]]) != AttentionTableBytes.digest([[1, 2], [3]]))
    }

    @Test func `What is no table is refused`() throws {
        let payloads = try AttentionTableBytes.payloads(table)
        var hostile: [[[UInt8]]] = [[], [payloads[0]], Array(payloads.dropLast()), payloads + [[]]]
        for index in payloads.indices {
            for cut in [0, payloads[index].count / 2, payloads[index].count - 1, payloads[index].count - 4] {
                var damaged = payloads
                damaged[index] = Array(payloads[index].prefix(max(0, cut)))
                hostile.append(damaged)
            }
        }
        let head = String(decoding: payloads[0], as: UTF8.self)
        for number in ["-1", "9223372036854775807", "4", "1e400", "\"3\""] {
            hostile.append(
                [Array(head.replacing(#""dimension":3"#, with: #""dimension":\#(number)"#).utf8)] + payloads[1...])
        }
        for payloads in hostile {
            #expect(throws: WireError.self) { try AttentionTableBytes.table(payloads) }
        }
    }

    @Test func `A revocation comes as it was sent`() throws {
        let revocation = Revocation(
            run: "r", version: .max,
            inputs: ForgottenInputs(people: [1, .max], items: ["i"], adapters: ["a"], changesReferences: true))
        let (id, message) = try ClientMessage.decode(frames: revocation.frames())
        #expect(id.isEmpty && message == .revoked(revocation))
        var frames = try revocation.frames()
        frames.removeLast()
        #expect(throws: WireError.self) { try ClientMessage.decode(frames: frames) }
    }
}
