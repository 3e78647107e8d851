import Messages

/// An operator's word that an away worker's disk is destroyed, and the answer to it.
struct CopyDeclaration: Sendable {
    var request: String
    var wanted: ClientRequest.ForgetCopyRequest
    /// The worker is not listed any more.
    var removes = false
    var waiters: [ClientTicket]
    /// nil: on its way to the ledger.
    var result: CopySettlement?
}
