import Service
import Testing

@Suite("Forget requests that wait to be closed")
struct ClosingsTests {
    private let start = ContinuousClock.now

    private func waiting(_ count: Int) -> Closings<Int> {
        var closings = Closings<Int>()
        for number in 0..<count { closings.add(number, at: start) }
        return closings
    }

    @Test("One that nobody's acknowledgement takes along is closed when its patience ends, and not before")
    func alone() {
        var closings = waiting(1)
        #expect(closings.next == start + Closings<Int>.patience)
        #expect(closings.takeDue(at: start + .milliseconds(9)).isEmpty)
        #expect(closings.takeDue(at: start + .milliseconds(10)) == [0])
        #expect(closings.next == nil && closings.count == 0)
    }

    @Test("With every acknowledgement a quarter more are closed, so that fewer wait, and the others wait again")
    func besides() {
        var closings = waiting(100)
        let later = start + .milliseconds(8)
        #expect(closings.take(besides: 16, at: later) == Array(0..<20))
        #expect(closings.takeDue(at: start + .milliseconds(11)).isEmpty)
        #expect(closings.take(besides: 1, at: later) == [20, 21])
        #expect(closings.next == later + Closings<Int>.patience)
    }

    @Test("Writes that acknowledge nothing take one along and keep nobody waiting for longer")
    func nobodyAcknowledged() {
        var closings = waiting(3)
        for number in 0..<2 {
            #expect(closings.take(besides: 0, at: start + .milliseconds(5)) == [number])
            #expect(closings.next == start + Closings<Int>.patience)
        }
    }

    @Test("Where nobody comes all are closed, a few at a time and in their order, also those that come meanwhile")
    func all() {
        var closings = waiting(21)
        var closed: [Int] = []
        let end = start + .seconds(1)
        while closings.next != nil {
            let taken = closings.takeDue(at: end)
            #expect(!taken.isEmpty && taken.count <= Closings<Int>.alone)
            if closed.count < 8 { closings.add(21, at: end) }
            closed += taken
        }
        #expect(closed == Array(0...21))
    }

    @Test("At the end all are taken at once")
    func end() {
        var closings = waiting(20)
        _ = closings.take(besides: 1, at: start)
        #expect(closings.takeAll() == Array(2..<20))
        #expect(closings.takeAll().isEmpty && closings.next == nil)
    }

    @Test("Whether few or many wait, each is taken once and in its order")
    func order() {
        var closings = Closings<Int>()
        var (next, taken): (Int, [Int]) = (0, [])
        for round in 0..<500 {
            for _ in 0..<(round * 7 % 5) {
                closings.add(next, at: start)
                next += 1
            }
            taken += closings.take(besides: round % 3, at: start)
            #expect(closings.count == next - taken.count)
        }
        while closings.count > 0 { taken += closings.takeDue(at: start + .seconds(1)) }
        #expect(taken == Array(0..<next))
    }
}
