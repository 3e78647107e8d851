/// Where the two factors of every adapted linear layer lie inside an adapter's flat storage.
///
/// Order: layer by layer, within a layer in the order of `LinearSite`, for each site first A `[rank, inputs]`, then
/// B `[outputs, rank]`, both row-major.
public struct AdapterLayout: Hashable, Sendable {
    /// One adapted linear layer.
    public struct Site: Hashable, Sendable {
        public var layer: Int
        public var site: LinearSite
        public var inputs: Int
        public var outputs: Int
        /// First element of A `[rank, inputs]`.
        public var offsetA: Int
        /// First element of B `[outputs, rank]`.
        public var offsetB: Int
    }

    public let configuration: LoRAConfiguration
    public let sites: [Site]
    /// Number of parameters.
    public let count: Int

    public init(model: ModelConfiguration, configuration: LoRAConfiguration) {
        var sites: [Site] = []
        var offset = 0
        for layer in 0..<model.layers {
            for site in configuration.targets {
                let (inputs, outputs) = model.shape(of: site)
                let offsetB = offset + configuration.rank * inputs
                sites.append(
                    Site(
                        layer: layer, site: site, inputs: inputs, outputs: outputs, offsetA: offset, offsetB: offsetB))
                offset = offsetB + outputs * configuration.rank
            }
        }
        self.configuration = configuration
        self.sites = sites
        self.count = offset
    }
}

/// A LoRA adapter: all A and B factors in one flat array of 32-bit floats.
public struct Adapter: Hashable, Sendable {
    public let layout: AdapterLayout
    /// `layout.count` values.
    public var values: [Float]

    public init(layout: AdapterLayout, values: [Float]) {
        precondition(values.count == layout.count, "an adapter's values must fill its layout")
        self.layout = layout
        self.values = values
    }

    /// All factors zero: adds nothing to the base model.
    public init(zerosFor layout: AdapterLayout) {
        self.init(layout: layout, values: [Float](repeating: 0, count: layout.count))
    }
}
