import Messages
import Testing

@Suite("Lists whose versions share what they have in common")
struct ChunkedListTests {
    private func next(_ state: inout UInt64, below bound: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % bound
    }

    @Test("Putting in and taking out gives what an array gives, and leaves older versions as they were")
    func likeAnArray() {
        var state: UInt64 = 7
        var (list, array): (ChunkedList<String>, [String]) = ([], [])
        for step in 0..<6000 {
            let (before, old) = (list, array)
            // It grows, then shrinks until nothing is left.
            if array.isEmpty || next(&state, below: 10) < (step < 3000 ? 7 : 2) {
                let position = next(&state, below: array.count + 1)
                list.insert("\(step)", at: position)
                array.insert("\(step)", at: position)
            } else {
                let position = next(&state, below: array.count)
                #expect(list.remove(at: position) == array.remove(at: position))
            }
            guard step.isMultiple(of: 50) else { continue }
            #expect(list.elementsEqual(array) && before.elementsEqual(old))
            #expect(array.indices.allSatisfy { list[$0] == array[$0] })
        }
    }

    @Test("What differs between two versions is found, also where equal elements lie in other memory")
    func changes() {
        let names = (0..<500).map { "a name that is too long to lie in the list itself: \($0)" }
        let old = ChunkedList(names)
        var new = old
        new[100] = "another"
        // Equal, and a string of its own.
        new[101] = String(Array(names[101]))
        let (removed, added) = new.changes(since: old)
        #expect(removed == [names[100]] && added == ["another"])
    }
}
