/// A worker that is no more, whose shards were deleted here, and the cluster that it worked for, if it is known.
struct ClearedNote: Codable, Hashable, Sendable {
    var worker: String
    var cluster: String?
    /// What its directory had to show that it was this worker's; nil: nothing.
    var secret: String?
}
