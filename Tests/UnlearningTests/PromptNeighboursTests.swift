import Testing
import Unlearning

@Suite("Prompts of one person are left out together")
struct PromptNeighboursTests {
    /// Windows of ten titles of three tokens each over a person's own history, all with the same beginning and end.
    private static func prompts(people: Int, each: Int, popular: Int = 0) -> [[Int32]] {
        (0..<people).flatMap { person in
            (0..<each).map { place -> [Int32] in
                let titles = (place..<(place + 10)).flatMap { title -> [Int32] in
                    let name = title % 10 < popular ? Int32(title % 10) : Int32(1000 * (person + 1) + title)
                    return [name, name + 100_000, 7]
                }
                return [1, 2, 3, 4, 5, 6] + titles + [8, 9, 10, 11, 12]
            }
        }
    }

    @Test("Whoever is begun with is taken whole, also where the first and the last prompt share nothing")
    func whole() {
        let neighbours = PromptNeighbours(Self.prompts(people: 4, each: 12))
        #expect(!neighbours.resemble(0, 11) && neighbours.resemble(0, 5) && !neighbours.resemble(0, 12))
        let order = Array((0..<48).reversed())
        let taken = neighbours.taking(24, of: order)
        #expect(Set(taken) == Set(24..<48) && taken.first == 47)
        #expect(neighbours.taking(30, of: order).count == 30 && neighbours.taking(0, of: order).isEmpty)
    }

    @Test("Two popular titles of ten make nobody another's neighbour")
    func popular() {
        let neighbours = PromptNeighbours(Self.prompts(people: 6, each: 3, popular: 2))
        #expect((0..<3).allSatisfy { one in (3..<18).allSatisfy { !neighbours.resemble(one, $0) } })
    }

    @Test("Short and equal prompts, and none, are no trouble")
    func short() {
        #expect(PromptNeighbours([[1], [], [1, 2, 3]]).taking(2, of: [2, 0, 1]) == [2, 0])
        #expect(PromptNeighbours([]).taking(3, of: []).isEmpty)
        // What all have says nothing.
        #expect(!PromptNeighbours([[1, 2, 3, 4], [1, 2, 3, 4]]).resemble(0, 1))
    }
}
