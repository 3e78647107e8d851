extension InfluenceRequest {
    /// What of it a training by this specification learned from, or would. A rebuilt prompt keeps its id, so both of its
    /// versions are held out or none.
    public func learned(by specification: TrainingSpecification) -> InfluenceRequest {
        guard specification.heldOut > 0 else { return self }
        return InfluenceRequest(
            direct: direct.filter { !specification.holdsOut($0.id) },
            rebuilt: rebuilt.filter { !specification.holdsOut($0.new.id) },
            added: added.filter { !specification.holdsOut($0.id) })
    }
}
