import Compute

extension Adapter {
    /// The adapter that training starts from, as PEFT makes it: A uniform in ±1/√inputs (Kaiming uniform with a = √5),
    /// B zero. A pure function of layout and seed; all shards start from the same one.
    public static func initial(layout: AdapterLayout, seed: UInt64) -> Adapter {
        var values = [Float](repeating: 0, count: layout.count)
        for site in layout.sites {
            let generator = CounterGenerator(seed: seed, path: [UInt64(site.layer), UInt64(site.site.order)])
            let bound = 1 / Float(site.inputs).squareRoot()
            for index in 0..<(layout.configuration.rank * site.inputs) {
                values[site.offsetA + index] = bound * (2 * generator.uniform(at: index) - 1)
            }
        }
        return Adapter(layout: layout, values: values)
    }
}
