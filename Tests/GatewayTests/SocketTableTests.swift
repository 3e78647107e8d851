import Foundation
import Testing

@testable import Gateway

@Suite("The kernel's table of sockets")
struct SocketTableTests {
    private static let heading =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    /// A listener, a client of user 1000 and the server's side of it, as root.
    private static let four =
        heading + """
               0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0000 100 0 0 10 0
               1: 0100007F:A2C4 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 22 1 0000 20 4 30 10 -1
               2: 0100007F:1F90 0100007F:A2C4 01 00000000:00000000 00:00000000 00000000     0        0 33 1 0000 20 4 30 10 -1

            """
    private let client = SocketEnd(address: [127, 0, 0, 1], port: 0xA2C4)
    private let server = SocketEnd(address: [127, 0, 0, 1], port: 8080)

    private func row(_ table: String) -> SocketTable.Row? {
        SocketTable.row(in: Array(table.utf8), own: client, other: server)
    }

    @Test("A socket is found by both of its ends, and is not the server's side of it")
    func found() {
        #expect(row(Self.four) == .init(user: 1000, inode: 22))
        let other = SocketTable.row(in: Array(Self.four.utf8), own: server, other: client)
        #expect(other == .init(user: 0, inode: 33))
        let nobody = SocketEnd(address: [127, 0, 0, 1], port: 0xA2C5)
        #expect(SocketTable.row(in: Array(Self.four.utf8), own: nobody, other: server) == nil)
        #expect(SocketTable.row(in: Array(Self.four.utf8), own: client, other: nobody) == nil)
    }

    @Test("IPv6 is four such words, and IPv4 inside of it is the IPv4 address")
    func six() {
        let loopback = "00000000000000000000000001000000"
        let table =
            Self.heading + """
                   0: \(loopback):A2C4 \(loopback):1F90 01 00000000:00000000 00:00000000 00000000   7  0 44 1 0 20 0 0 10 -1
                   1: 0000000000000000FFFF00000100007F:A2C4 0000000000000000FFFF00000100007F:1F90 01 0:0 0:0 0   8  0 55 1
                """
        let address = [UInt8](repeating: 0, count: 15) + [1]
        let ends = (SocketEnd(address: address, port: 0xA2C4), SocketEnd(address: address, port: 8080))
        #expect(SocketTable.row(in: Array(table.utf8), own: ends.0, other: ends.1) == .init(user: 7, inode: 44))
        #expect(row(table) == .init(user: 8, inode: 55))
        let mapped = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF, 127, 0, 0, 1]
        #expect(SocketEnd(address: mapped, port: 1) == SocketEnd(address: [127, 0, 0, 1], port: 1))
    }

    @Test("What is no line of the table is nobody's")
    func hostile() {
        let line = "1: 0100007F:A2C4 0100007F:1F90 01 0:0 0:0 0 1000 0 22 1\n"
        #expect(row(line)?.user == 1000)
        for wrong in [
            "", "\n\n\n", String(repeating: " ", count: 10_000), "1: 0100007F:A2C4", "1: 0100007F:A2C4 0100007F:1F90\n",
            line.replacing(" 1000 ", with: " -1 "), line.replacing(" 1000 ", with: " 4294967296 "),
            line.replacing(" 1000 ", with: " root "), line.replacing(" 22 ", with: " x "),
            line.replacing("0100007F:A2C4", with: "0100007F:A2C4:1F90"),
            line.replacing("0100007F:A2C4", with: "0100007FA2C4"), line.replacing("0100007F:A2C4", with: ":A2C4"),
            line.replacing("0100007F:A2C4", with: "0100007F00:A2C4"),
            line.replacing("0100007F:A2C4", with: "+100007F:A2C4"),
            line.replacing("A2C4", with: "A2C"), line.replacing("A2C4", with: "A2C4\u{0}"),
        ] {
            #expect(row(wrong) == nil, "\(wrong.prefix(80))")
            // What is broken hides nobody else's line.
            #expect(row(wrong + "\n" + Self.four)?.user == 1000, "\(wrong.prefix(80))")
        }
        #expect(SocketTable.row(in: [0xFF, 0xFE, 0x0A] + Array(line.utf8), own: client, other: server)?.user == 1000)
        #expect(SocketTable.end(Array("0100007F:1F90".utf8)) == server)
        // Two that contradict each other are believed neither.
        #expect(row(line + line)?.user == 1000 && row(line + line.replacing(" 1000 ", with: " 0 ")) == nil)
    }
}
