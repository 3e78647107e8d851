/// Places 0 ..< n by their counts, the highest first. One more or one less is one swap, however many there are.
struct CountOrder {
    /// Places, in the order of their counts.
    private(set) var order: [UInt32] = []
    /// Where each place stands in `order`.
    private var positions: [Int] = []
    private var counts: [Int] = []
    /// Where in `order` those with one count stand: there are no gaps.
    private var blocks: [Int: Range<Int>] = [:]

    func count(of place: UInt32) -> Int { counts[Int(place)] }

    /// Another place, which counts nothing.
    mutating func add() -> UInt32 {
        let place = UInt32(counts.count)
        positions.append(order.count)
        order.append(place)
        counts.append(0)
        extend(0, at: order.count - 1)
        return place
    }

    mutating func increment(_ place: UInt32) {
        let count = counts[Int(place)]
        guard let block = blocks[count] else { return }
        swap(place, with: block.lowerBound)
        blocks[count] = block.count > 1 ? block.lowerBound + 1..<block.upperBound : nil
        counts[Int(place)] = count + 1
        extend(count + 1, at: block.lowerBound)
    }

    /// Below nothing there is nothing.
    mutating func decrement(_ place: UInt32) {
        let count = counts[Int(place)]
        guard count > 0, let block = blocks[count] else { return }
        swap(place, with: block.upperBound - 1)
        blocks[count] = block.count > 1 ? block.lowerBound..<block.upperBound - 1 : nil
        counts[Int(place)] = count - 1
        extend(count - 1, at: block.upperBound - 1)
    }

    /// Those that have one count, from the highest count on, until `body` says that it is enough.
    func forEachBlock(from fewest: Int, _ body: (ArraySlice<UInt32>) -> Bool) {
        var position = 0
        while position < order.count {
            let count = counts[Int(order[position])]
            guard count >= fewest, let block = blocks[count], body(order[block]) else { return }
            position = block.upperBound
        }
    }

    private mutating func swap(_ place: UInt32, with position: Int) {
        let (other, old) = (order[position], positions[Int(place)])
        order.swapAt(old, position)
        positions[Int(place)] = position
        positions[Int(other)] = old
    }

    /// The position borders on those with this count, if there are any.
    private mutating func extend(_ count: Int, at position: Int) {
        guard let block = blocks[count] else {
            blocks[count] = position..<position + 1
            return
        }
        blocks[count] = min(block.lowerBound, position)..<max(block.upperBound, position + 1)
    }
}
