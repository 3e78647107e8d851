import PeerTestSupport

extension TestCluster {
    /// Has the first worker stand still while it trains a shard again, whose stage answers by then where the policy wants one.
    ///
    /// - Parameters:
    ///   - policy: what `--while-retraining` says.
    ///   - slice: the first one that is trained again.
    func pauseWhileRetraining(policy: String, slice: Int) throws {
        if policy == "stage" {
            try wait("the stage to answer") { try !adapterNames().isEmpty }
        } else {
            try wait("the training") { workers[0]?.logText.contains("from slice \(slice) on") == true }
        }
        workers[0]?.pause()
    }
}
