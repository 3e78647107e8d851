import CKernels
import Compute

/// The adapted sites of a block that read the same activations.
enum SiteGroup: Int, CaseIterable, Sendable {
    case projection, output, gateUp, down

    var sites: [LinearSite] {
        switch self {
        case .projection: [.query, .key, .value]
        case .output: [.output]
        case .gateUp: [.gate, .up]
        case .down: [.down]
        }
    }
}

/// The factors of one adapter or of a mixture of K, laid out for the low-rank kernels.
///
/// A mixture's factors are concatenated: `u = A·x` has K blocks of `rank` columns for each site, which the prompts'
/// weights ω then scale, and one product with the concatenated B follows. Nothing of the size of W is made.
final class LowRankFactors: @unchecked Sendable {
    /// One adapted site; places in floats from the start of its layer's memory.
    struct Site {
        let site: LinearSite
        let inputs: Int
        let outputs: Int
        /// First column of the site in u and in the group's product.
        let column: Int
        let outputColumn: Int
        /// A `[rank, inputs]`, s·Bᵀ `[K·rank, outputs]`, s·B `[outputs, paddedRank]`.
        let plainA: Int
        let scaledTransposedB: Int
        let scaledB: Int
        /// Partial gradients of one row block: of A `[rank, inputs]` and of Bᵀ `[rank, outputs]`.
        let gradientA: Int
        let gradientB: Int
    }

    struct Group {
        let inputs: Int
        /// First column in a row of u, and number of columns, padded.
        let column: Int
        let columns: Int
        /// Aᵀ of all sites beside each other `[inputs, columns]`.
        let transposedA: Int
        let sites: [Site]
    }

    let configuration: LoRAConfiguration
    let layout: AdapterLayout
    let adapters: Int
    let rank: Int
    let scale: Float
    /// Columns of s·B, rank rounded up to a vector.
    let paddedRank: Int
    /// By `SiteGroup`; nil where no site is adapted.
    let groups: [Group?]
    /// Columns of u in one layer.
    let width: Int
    /// Floats of the partial gradients of one layer and row block.
    let gradientCount: Int
    /// The lowest layer that has an adapter; the layout starts with it.
    let lowestLayer: Int
    private let layerCount: Int
    private let layerFloats: Int
    private let memory: AlignedMemory

    init(model: ModelConfiguration, layout: AdapterLayout, adapters: Int) throws {
        self.layout = layout
        self.adapters = adapters
        configuration = layout.configuration
        rank = configuration.rank
        scale = configuration.scale
        paddedRank = Self.padded(rank)
        var (groups, width, floats, gradients) = ([Group?](), 0, 0, 0)
        func take(_ count: Int, from total: inout Int) -> Int {
            defer { total += Self.padded(count) }
            return total
        }
        for group in SiteGroup.allCases {
            let active = group.sites.filter(layout.configuration.targets.contains)
            guard let first = active.first else {
                groups.append(nil)
                continue
            }
            var sites: [Site] = []
            for site in active {
                let (inputs, outputs) = model.shape(of: site)
                let before = group.sites.prefix { $0 != site }.map { model.shape(of: $0).outputs }.reduce(0, +)
                sites.append(
                    Site(
                        site: site, inputs: inputs, outputs: outputs, column: sites.count * adapters * rank,
                        outputColumn: before, plainA: take(rank * inputs, from: &floats),
                        scaledTransposedB: take(adapters * rank * outputs, from: &floats),
                        scaledB: take(outputs * paddedRank, from: &floats),
                        gradientA: take(rank * inputs, from: &gradients),
                        gradientB: take(rank * outputs, from: &gradients)))
            }
            let inputs = model.shape(of: first).inputs
            let columns = Self.padded(active.count * adapters * rank)
            groups.append(
                Group(
                    inputs: inputs, column: width, columns: columns,
                    transposedA: take(inputs * columns, from: &floats), sites: sites))
            width += columns
        }
        self.groups = groups
        self.width = width
        gradientCount = gradients
        lowestLayer = layout.sites.first?.layer ?? model.layers
        layerCount = model.layers
        layerFloats = floats
        memory = try AlignedMemory(bytes: 4 * floats * model.layers)
    }

    static func padded(_ count: Int) -> Int { (count + 15) / 16 * 16 }

    func matches(_ layout: AdapterLayout, adapters: Int) -> Bool {
        self.layout == layout && self.adapters == adapters
    }

    subscript(group: SiteGroup) -> Group? { groups[group.rawValue] }

    func floats(_ offset: Int, layer: Int) -> UnsafeMutablePointer<Float> {
        memory.floats() + layer * layerFloats + offset
    }

    /// Takes over the values of the adapters, all of this object's layout.
    func load(_ adapters: [Adapter], pool: ThreadPool) throws {
        try pool.run(tasks: layerCount) { layer, _ in
            for (index, adapter) in adapters.enumerated() {
                adapter.values.withUnsafeBufferPointer { values in
                    guard let base = values.baseAddress else { return }
                    self.load(base, adapter: index, layer: layer)
                }
            }
        }
    }

    private func load(_ values: UnsafePointer<Float>, adapter: Int, layer: Int) {
        let perLayer = configuration.targets.count
        for case let group? in groups {
            for site in group.sites {
                guard let position = configuration.targets.firstIndex(of: site.site) else { continue }
                let place = layout.sites[layer * perLayer + position]
                let (a, b) = (values + place.offsetA, values + place.offsetB)
                let (r, inputs, outputs) = (Int32(rank), Int32(site.inputs), Int32(site.outputs))
                let transposedA = floats(group.transposedA, layer: layer) + site.column + adapter * rank
                lethe_pack_scaled(transposedA, Int32(group.columns), a, inputs, r, 1, inputs, 1)
                let transposedB = floats(site.scaledTransposedB, layer: layer) + adapter * rank * site.outputs
                lethe_pack_scaled(transposedB, outputs, b, r, outputs, 1, r, scale)
                guard adapters == 1 else { continue }
                floats(site.plainA, layer: layer).update(from: a, count: rank * site.inputs)
                lethe_pack_scaled(floats(site.scaledB, layer: layer), Int32(paddedRank), b, outputs, r, r, 1, scale)
            }
        }
    }
}
