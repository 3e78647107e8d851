import Unlearning

/// What a worker needs to correct a shard's adapter.
public struct PendingCorrection: Codable, Hashable, Sendable {
    public var method: CorrectionMethod
    /// The adapter that saw the forgotten data, as safetensors.
    public var original: [UInt8]
    public var provenance: AdapterProvenance
    /// What differs between the prompts that it was trained on and the shard's present ones.
    public var request: InfluenceRequest

    public init(
        method: CorrectionMethod, original: [UInt8], provenance: AdapterProvenance, request: InfluenceRequest
    ) {
        self.method = method
        self.original = original
        self.provenance = provenance
        self.request = request
    }
}
