import Testing

@testable import Gateway

@Suite("Connections for which a gateway's process has files")
struct DescriptorShareTests {
    private static let limits = [64, 160, 256, 512, 600, 1024, 1500, 2048, 4096, 65_536, 1 << 20]

    @Test(arguments: limits)
    func `Inside of a coordinator it takes half at most, with those that are being closed and all else`(open: Int) {
        let share = DescriptorShare(of: open, most: 1024, isAlone: false, cores: 2)
        #expect(share.descriptors <= open / 2 && (8...1024).contains(share.connections))
        if open >= 1024 {
            let needed = 262 + share.connections + DescriptorShare.closing(of: share.connections)
            #expect(share.descriptors == needed)
        }
    }

    @Test func `Alone it leaves room for its other files, and where there is room it has the most that it should`() {
        for open in Self.limits {
            let share = DescriptorShare(of: open, most: 1024, isAlone: true, cores: 2)
            let needed = share.connections + DescriptorShare.closing(of: share.connections)
            #expect(open < 600 || needed + 262 <= open)
            #expect((share.connections == 1024) == (open >= 1350))
        }
        #expect(DescriptorShare(of: 1 << 20, most: 1024, isAlone: false, cores: 64).connections == 1024)
        #expect(DescriptorShare(of: 1 << 20, most: 100, isAlone: true, cores: 64).connections == 100)
    }
}
