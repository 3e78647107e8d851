import Files
import Foundation
import Synchronization
import Testing

@Suite("Cores of a machine that its processes share")
struct SharedCoresTests {
    private static func path() -> String { NSTemporaryDirectory() + "/lethe-cores-\(UUID().uuidString)" }

    private static func cores(
        _ path: String, _ count: Int, patience: Duration = .milliseconds(20)
    ) throws -> SharedCores {
        try SharedCores(path, count: count, patience: patience)
    }

    @Test("Who is under a quota shares with those under the same one, and with nobody else")
    func quotas() {
        func path(_ group: String?) -> String {
            let files = group.map { ["/sys/fs/cgroup/\($0)/cpu.max": "200000 100000"] } ?? [:]
            return SharedCores.standardPath(
                AvailableCores(running: 16, groups: "0::/\(group ?? "")") { files[$0] })
        }
        // No machine has these groups, so that their paths stand for them.
        let (one, other) = ("no-such-group-\(UUID().uuidString)", "no-such-group-\(UUID().uuidString)")
        #expect(path(one) == path(one) && Set([path(one), path(other), path(nil)]).count == 3)
        #expect(path(one).hasPrefix(path(nil) + "-"))
    }

    @Test("Who computes alone has all cores, again and again")
    func alone() throws {
        let path = Self.path()
        defer { unlink(path) }
        let cores = try Self.cores(path, 5)
        for _ in 0..<3 {
            #expect(cores.take() == 5)
            cores.giveBack()
        }
    }

    @Test("Who comes second gets what was given back, and then each has its part; who rests leaves all to the others")
    func two() throws {
        let path = Self.path()
        defer { unlink(path) }
        let (first, second) = (try Self.cores(path, 5), try Self.cores(path, 5))
        #expect(first.take() == 5)
        // All are taken: it goes on with one thread rather than never.
        #expect(second.take() == 1)
        first.giveBack()
        #expect(second.take() == 3)
        #expect(first.take() == 2)
        second.rest()
        #expect(first.take() == 5)
    }

    @Test("More processes than cores: no more have one than there are cores")
    func crowded() throws {
        let path = Self.path()
        defer { unlink(path) }
        let crowd = try (0..<4).map { _ in try Self.cores(path, 2, patience: .zero) }
        for cores in crowd { #expect(cores.take() >= 1) }
        crowd[0].rest()
        // Three still compute: one core each, for those that find one.
        #expect(crowd[1].take() == 1)
        #expect(crowd[2].take() == 1)
        crowd[1].rest()
        crowd[2].rest()
        crowd[3].rest()
        #expect(crowd[3].take() == 2)
    }

    @Test("Pieces of work of many threads never take more cores than there are")
    func noneTooMany() throws {
        let path = Self.path()
        defer { unlink(path) }
        let using = Using()
        // Threads of their own: waiting for cores would hold up other tests' tasks.
        let threads = DispatchGroup()
        for _ in 0..<4 {
            threads.enter()
            Thread {
                defer { threads.leave() }
                guard let cores = try? Self.cores(path, 3, patience: .seconds(60)) else { return }
                for _ in 0..<40 {
                    let count = cores.take()
                    using.change(by: count)
                    using.change(by: -count)
                    cores.giveBack()
                }
                cores.rest()
            }.start()
        }
        threads.wait()
        #expect(using.most >= 1 && using.most <= 3)
    }

    @Test("Who is stopped with cores, or where one passes at a time, holds others up once and not at every piece")
    func stopped() throws {
        let path = Self.path()
        defer { unlink(path) }
        // It never gives back.
        let stopped = try Self.cores(path, 2)
        #expect(stopped.take() == 2)
        let other = try Self.cores(path, 2, patience: .milliseconds(400))
        let start = ContinuousClock.now
        for _ in 0..<5 {
            #expect(other.take() == 1)
            other.giveBack()
        }
        #expect(ContinuousClock.now - start < .milliseconds(1200))
        stopped.rest()
        #expect(other.take() == 2)
        other.rest()

        // The byte of the door.
        let door = open(path, O_RDWR | O_CLOEXEC)
        defer { close(door) }
        var range = flock()
        range.l_type = Int16(F_WRLCK)
        (range.l_start, range.l_len) = (1024, 1)
        #expect(fcntl(door, 37, &range) == 0)
        let before = ContinuousClock.now
        for _ in 0..<5 {
            #expect(other.take() == 2)
            other.giveBack()
        }
        #expect(ContinuousClock.now - before < .milliseconds(1200))
    }

    @Test("A process that ends without a word gives its cores back")
    func gone() throws {
        let path = Self.path()
        defer { unlink(path) }
        var first: SharedCores? = try Self.cores(path, 4)
        #expect(first?.take() == 4)
        first = nil
        let second = try Self.cores(path, 4)
        #expect(second.take() == 4)
    }

    @Test("A file that was removed is made again by who computes next")
    func removed() throws {
        let path = Self.path()
        defer { unlink(path) }
        let first = try Self.cores(path, 4)
        #expect(first.take() == 4)
        first.rest()
        unlink(path)
        #expect(first.take() == 4)
        #expect(try Self.cores(path, 4).take() == 1)
    }

    @Test("A link in the file's place is not followed")
    func link() throws {
        let path = Self.path()
        defer { unlink(path) }
        #expect(symlink("/dev/null", path) == 0)
        #expect(throws: FileFailure("cannot open", path, code: ELOOP)) { try SharedCores(path, count: 2) }
    }

    private final class Using: Sendable {
        private let counts = Mutex((now: 0, most: 0))

        func change(by count: Int) {
            counts.withLock {
                $0.now += count
                $0.most = max($0.most, $0.now)
            }
        }

        var most: Int { counts.withLock { $0.most } }
    }
}
