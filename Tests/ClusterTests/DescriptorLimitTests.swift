import Service
import Testing

@Suite("Connections for which a coordinator's process has files")
struct DescriptorLimitTests {
    @Test func `What the process serves beside the coordinator is not given to its connections`() {
        for open in [512, 1024, 4096, 16_384] {
            for reserved in [0, 100, open / 2] {
                let connections = DescriptorLimit.connections(of: open, reserving: reserved)
                #expect(connections > 0 && connections + reserved < open)
                #expect(connections == DescriptorLimit.connections(of: open - reserved, reserving: 0))
            }
        }
        #expect(DescriptorLimit.connections(of: 100, reserving: 200) == 0)
        #expect(DescriptorLimit.connections(of: .max, reserving: 0) < 1 << 20)
    }
}
