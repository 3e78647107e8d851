import Files
import Testing

@Suite("How much memory a process may take")
struct AvailableMemoryTests {
    private let machine = 64 << 30
    private let root = "/sys/fs/cgroup"

    private func memory(_ groups: String, _ files: [String: String]) -> AvailableMemory {
        AvailableMemory(machine: machine, groups: groups) { files[$0] }
    }

    @Test("Without a bound it is the machine's")
    func unbounded() {
        for text in ["max\n", "", "0", "-1", "9223372036854771712\n", "99999999999999999999", "nonsense"] {
            let found = memory("0::/pod\n", ["\(root)/pod/memory.max": text])
            #expect(found.bytes == machine && found.bound == nil, "\(text)")
        }
        #expect(memory("", [:]).bytes == machine)
    }

    @Test("A container's bound counts, the least of all that it is in, in both versions")
    func bounded() {
        let (inner, outer) = ("\(root)/pods/one/memory.max", "\(root)/pods/memory.max")
        let both = memory("0::/pods/one\n", [inner: "4294967296\n", outer: "3221225472\n"])
        #expect(both.bytes == 3 << 30 && both.bound == outer)
        let within = memory("0::/pods/one\n", [inner: "1073741824\n", outer: "3221225472\n"])
        #expect(within.bytes == 1 << 30 && within.bound == inner)
        // From within a namespace of its own.
        #expect(memory("0::/\n", ["\(root)/memory.max": "1073741824\n"]).bytes == 1 << 30)
        let file = "\(root)/memory/docker/x/memory.limit_in_bytes"
        let first = memory("5:cpu:/\n4:memory:/docker/x\n", [file: "2147483648\n"])
        #expect(first.bytes == 2 << 30 && first.bound == file)
    }
}
