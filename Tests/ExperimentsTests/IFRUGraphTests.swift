import Experiments
import Foundation
import Recommendation
import Testing
import TrainingTestSupport
import Unlearning

@Suite("IFRU on embeddings: matrix factorisation and LightGCN")
struct IFRUGraphTests {
    private static let (users, items) = (24, 20)

    /// Two kinds of people and of items; who meets his kind mostly likes it.
    private static func samples(seed: UInt64) -> [GraphSample] {
        var random = SeededGenerator(seed: seed)
        return (0..<users).flatMap { user in
            (0..<items).shuffled(using: &random).prefix(12).map { item in
                let matches = user % 2 == item % 2
                return GraphSample(
                    user: user, item: item, label: Double.random(in: 0..<1, using: &random) < (matches ? 0.85 : 0.15))
            }
        }
    }

    private static func loss(
        layers: Int, seed: UInt64 = 1, without forgotten: [Int] = [], steps: Int = 600
    ) throws -> GraphLoss {
        let all = samples(seed: seed)
        let gone = Set(forgotten)
        return try GraphLoss(
            users: users, items: items, samples: all.indices.filter { !gone.contains($0) }.map { all[$0] },
            configuration: GraphConfiguration(width: 4, layers: layers, regularisation: 5e-3, steps: steps))
    }

    /// Three likes each of a few users.
    private static func forgotten(seed: UInt64) -> [Int] {
        let all = samples(seed: seed)
        return [1, 6, 11].flatMap { user in
            Array(all.indices.filter { all[$0].user == user && all[$0].label }.prefix(3))
        }
    }

    private static func vector(_ count: Int, seed: UInt64) -> [Float] {
        var random = SeededGenerator(seed: seed)
        return (0..<count).map { _ in Float.random(in: -1...1, using: &random) }
    }

    private func distance<Value: BinaryFloatingPoint>(_ a: [Value], _ b: [Value]) -> Double {
        zip(a, b).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }.squareRoot()
    }

    private func dot(_ a: [Float], _ b: [Float]) -> Double {
        zip(a, b).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
    }

    @Test("Gradient and Hessian agree with finite differences of the definition", arguments: [0, 1, 3])
    func derivatives(layers: Int) throws {
        let loss = try Self.loss(layers: layers)
        let definition = GraphDefinition(loss)
        let table = Self.vector(loss.parameters, seed: 4)
        let direction = Self.vector(loss.parameters, seed: 5)
        func moved(_ step: Double) -> [Double] { zip(table, direction).map { Double($0) + step * Double($1) } }
        #expect(abs(loss.value(table) - definition.value(moved(0))) < 1e-6)
        let step = 1e-4
        let slope = (definition.value(moved(step)) - definition.value(moved(-step))) / (2 * step)
        #expect(abs(dot(loss.gradient(table), direction) - slope) < 1e-6)
        #expect(distance(loss.gradient(table).map(Double.init), definition.gradient(moved(0))) < 1e-6)
        let preparation = try GraphPreparation(loss: loss, table: table)
        let system = GraphSystem(preparation, nodes: (0..<44).map { $0 })
        let product = system.product(direction, gaussNewton: false)
        let numeric = zip(definition.gradient(moved(step)), definition.gradient(moved(-step))).map {
            ($0 - $1) / (2 * step)
        }
        #expect(distance(product.map(Double.init), numeric) < 1e-5)
        // The Hessian is symmetric, the Gauss–Newton matrix has no negative direction.
        let other = Self.vector(loss.parameters, seed: 6)
        let otherProduct = system.product(other, gaussNewton: false)
        #expect(abs(dot(otherProduct, direction) - dot(product, other)) < 1e-5)
        let gauss = system.product(direction, gaussNewton: true)
        #expect(dot(gauss, direction) > 0)
        #expect(distance(gauss, product) > 1e-3)
    }

    @Test("Propagation is the mean of the powers of the normalised adjacency, and symmetric")
    func propagation() throws {
        // u0 – i0, u0 – i1, u1 – i1; the dislike is no edge, the repetition no second one.
        let graph = try InteractionGraph(
            users: 2, items: 2,
            samples: [
                GraphSample(user: 0, item: 0, label: true), GraphSample(user: 0, item: 1, label: true),
                GraphSample(user: 1, item: 1, label: true), GraphSample(user: 1, item: 0, label: false),
                GraphSample(user: 0, item: 1, label: true),
            ])
        let (a, b) = (1 / Float(2).squareRoot(), Float(0.5))
        #expect(distance(graph.propagated([1, 0, 0, 0], width: 1, layers: 1), [0.5, 0, a / 2, b / 2]) < 1e-7)
        #expect(graph.propagated([1, 2, 3, 4], width: 1, layers: 0) == [1, 2, 3, 4])
        let (x, y) = (Self.vector(8, seed: 1), Self.vector(8, seed: 2))
        let left = dot(graph.propagated(x, width: 2, layers: 3), y)
        let right = dot(x, graph.propagated(y, width: 2, layers: 3))
        #expect(abs(left - right) < 1e-6)
    }

    @Test("Training finds a minimum that tells the kinds apart", arguments: [0, 2])
    func training(layers: Int) throws {
        let loss = try Self.loss(layers: layers)
        let table = try loss.trained()
        #expect(distance(loss.gradient(table), [Float](repeating: 0, count: table.count)) < 2e-3)
        #expect(try loss.trained() == table)
        let scores = loss.scores(table, of: loss.samples)
        #expect(try #require(Metrics(margins: scores, labels: loss.samples.map(\.label)).auc) > 0.8)
    }

    @Test("The correction is closer to the retrained model than the original; for LightGCN spillover is what it takes")
    func retraining() throws {
        for layers in [0, 2] {
            var sums = (original: 0.0, direct: 0.0, both: 0.0, pruned: 0.0)
            for seed in UInt64(1)...3 {
                let (loss, forgotten) = (try Self.loss(layers: layers, seed: seed), Self.forgotten(seed: seed))
                let after = try Self.loss(layers: layers, seed: seed, without: forgotten)
                let (table, retrained) = (try loss.trained(), try after.trained())
                // All answers are given on the graph without the forgotten edges.
                let reference = after.scores(retrained, of: loss.samples)
                func correct(_ configuration: GraphInfluence.Configuration) throws -> Double {
                    let correction = try GraphInfluence.unlearn(
                        loss: loss, table: table, forgotten: forgotten, configuration: configuration)
                    #expect(correction.provenance == .ifru && correction.residual < 1e-5)
                    return distance(after.scores(correction.table, of: loss.samples), reference)
                }
                sums.original += distance(after.scores(table, of: loss.samples), reference)
                sums.both += try correct(GraphInfluence.Configuration(damping: 1e-3))
                sums.direct += try correct(GraphInfluence.Configuration(damping: 1e-3, spillover: false))
                sums.pruned += try correct(GraphInfluence.Configuration(damping: 1e-3, pruning: 0.4))
            }
            #expect(sums.both < 0.6 * sums.original && sums.pruned < sums.original)
            if layers == 0 { #expect(sums.both == sums.direct) } else { #expect(sums.both < sums.direct) }
        }
    }

    @Test("The right-hand side is the difference of the whole sums; only LightGCN has spillover", arguments: [0, 2])
    func spillover(layers: Int) throws {
        let (loss, forgotten) = (try Self.loss(layers: layers), Self.forgotten(seed: 1))
        let table = Self.vector(loss.parameters, seed: 3)
        let system = GraphSystem(try GraphPreparation(loss: loss, table: table), nodes: (0..<44).map { $0 })
        let removal = try GraphRemoval(forgotten, from: loss)
        let direct = system.rightSide(removal, spillover: false)
        let both = system.rightSide(removal, spillover: true)
        let (before, after) = (GraphDefinition(loss), GraphDefinition(try loss.without(forgotten)))
        let point = table.map(Double.init)
        let difference = zip(before.sum(point), after.sum(point)).map(-)
        #expect(distance(both.map(Double.init), difference) < 1e-4)
        #expect(layers == 0 ? both == direct : distance(both, direct) > 0.1)
        // The direct part is the gradient of the forgotten samples on the graph as it was.
        #expect(distance(direct.map(Double.init), before.sum(point, over: forgotten)) < 1e-4)
    }

    @Test("Without propagation the updated nodes alone solve the whole system; with it they come near")
    func reach() throws {
        for layers in [0, 2] {
            let (loss, forgotten) = (try Self.loss(layers: layers), Self.forgotten(seed: 1))
            let table = try loss.trained()
            let preparation = try GraphPreparation(loss: loss, table: table)
            for pruning in [0.4, 1] {
                func correct(_ reach: GraphInfluence.Reach) throws -> [Float] {
                    try GraphInfluence.unlearn(
                        preparation, forgotten: forgotten,
                        configuration: .init(damping: 1e-3, pruning: pruning, reach: reach)
                    ).table
                }
                let (whole, near) = (try correct(.whole), try correct(.updated))
                #expect(distance(whole, near) < (layers == 0 ? 1e-4 : 0.5) * distance(whole, table))
            }
        }
    }

    @Test("Two threads give the same bits as one")
    func threads() throws {
        let data = try GraphData(synthetic: try #require(SyntheticSize("300:200:12000")), seed: 1)
        let loss = try GraphLoss(
            users: data.users, items: data.items, samples: data.samples,
            configuration: GraphConfiguration(width: 5, layers: 1, regularisation: 1e-4, steps: 3))
        #expect(try loss.trained(threads: 2) == loss.trained())
    }

    @Test("Pruning leaves unimportant nodes as they are, never those of forgotten samples")
    func pruning() throws {
        let (loss, forgotten) = (try Self.loss(layers: 2), Self.forgotten(seed: 1))
        let table = try loss.trained()
        let width = loss.configuration.width
        var touched = Set<Int>()
        for position in forgotten {
            touched.insert(loss.samples[position].user)
            touched.insert(Self.users + loss.samples[position].item)
        }
        for pruning in [0, 0.4, 0.8] {
            let correction = try GraphInfluence.unlearn(
                loss: loss, table: table, forgotten: forgotten,
                configuration: GraphInfluence.Configuration(damping: 1e-3, pruning: pruning))
            var moved = 0
            for node in 0..<(Self.users + Self.items) {
                let places = (node * width)..<((node + 1) * width)
                let isMoved = correction.table[places] != table[places]
                moved += isMoved ? 1 : 0
                if touched.contains(node) { #expect(isMoved) }
            }
            #expect(moved == correction.updatedNodes)
            #expect(moved >= 44 - Int(pruning * 44) && moved <= max(44 - Int(pruning * 44), touched.count + 44 / 5 + 1))
        }
    }

    @Test("Conjugate gradients solve what a dense system says, and notice a matrix that is not positive definite")
    func conjugateGradients() throws {
        let n = 12
        let factor = Self.vector(n * n, seed: 9).map(Double.init)
        func product(_ vector: [Double]) -> [Double] {
            let inner = (0..<n).map { row in (0..<n).reduce(0) { $0 + factor[row * n + $1] * vector[$1] } }
            return (0..<n).map { column in
                (0..<n).reduce(0.1 * vector[column]) { $0 + factor[$1 * n + column] * inner[$1] }
            }
        }
        let solution = Self.vector(n, seed: 10).map(Double.init)
        let found = ConjugateGradients(
            right: product(solution), tolerance: 1e-12, maximumProducts: 200, product: product)
        #expect(distance(found.vector, solution) < 1e-8 && !found.metNegativeCurvature && found.residual < 1e-12)
        let indefinite = ConjugateGradients(right: [1, 1], tolerance: 1e-9, maximumProducts: 9) { [$0[0], -2 * $0[1]] }
        #expect(indefinite.metNegativeCurvature)
        let zero = ConjugateGradients(right: [0, 0], tolerance: 1e-9, maximumProducts: 9) { $0 }
        #expect(zero.vector == [0, 0] && zero.products == 0)
    }

    @Test("Where the Hessian has a negative direction the Gauss–Newton matrix takes its place")
    func indefinite() throws {
        let loss = try Self.loss(layers: 0)
        // Far from any minimum.
        let table = Self.vector(loss.parameters, seed: 3).map { 0.2 * $0 }
        let correction = try GraphInfluence.unlearn(
            loss: loss, table: table, forgotten: Self.forgotten(seed: 1),
            configuration: GraphInfluence.Configuration(damping: 1e-6))
        #expect(correction.usedGaussNewton && correction.residual < 1e-5)
        #expect(!correction.table.contains { !$0.isFinite })
    }

    @Test("Bad input is refused by name")
    func refused() throws {
        let loss = try Self.loss(layers: 1)
        let table = [Float](repeating: 0.1, count: loss.parameters)
        func refuse<Failure: Error & Equatable>(
            _ error: Failure, _ forgotten: [Int], _ damping: Double, _ table: [Float]
        ) {
            #expect(throws: error) {
                try GraphInfluence.unlearn(
                    loss: loss, table: table, forgotten: forgotten,
                    configuration: GraphInfluence.Configuration(damping: damping))
            }
        }
        for damping in [0, -1, .nan] as [Double] { refuse(ApproximateError.dampingNotPositive, [0], damping, table) }
        refuse(ApproximateError.emptyForgetSet, [], 1, table)
        refuse(ApproximateError.emptyRetainedSet, Array(loss.samples.indices), 1, table)
        refuse(
            ApproximateError.forgetSetLargerThanRetained(forget: 200, retained: 88), Array(0..<200), 1, table)
        refuse(UnlearningError.wrongShape(what: "the table", expected: table.count, found: 1), [0], 1, [0])
        refuse(UnlearningError.notFinite(what: "the table"), [0], 1, table.map { _ in .nan })
        refuse(UnlearningError.invalidSpecification(reason: "sample 9000 is unknown or named twice"), [9000], 1, table)
        refuse(UnlearningError.invalidSpecification(reason: "sample 3 is unknown or named twice"), [3, 3], 1, table)
        #expect(throws: UnlearningError.noSamples) {
            try GraphLoss(users: 2, items: 2, samples: [], configuration: GraphConfiguration())
        }
        #expect(throws: UnlearningError.invalidSpecification(reason: "user 2 or item 0 is beyond the tables")) {
            try GraphLoss(
                users: 2, items: 2, samples: [GraphSample(user: 2, item: 0, label: true)],
                configuration: GraphConfiguration())
        }
        #expect(throws: UnlearningError.invalidSpecification(reason: "embeddings need at least one dimension")) {
            try GraphConfiguration(width: 0).check()
        }
    }
}
