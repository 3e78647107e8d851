/// Both directions of one connection, at one of its ends.
package struct PortionExchange: Sendable {
    /// What follows from what came.
    package struct Step: Sendable {
        /// To be given to the socket now, in this order.
        package var given: [[[UInt8]]] = []
        /// The frames of a message that is whole now.
        package var whole: [[UInt8]]?

        package init() {}
    }

    package var outgoing: OutgoingPortions
    package var incoming: IncomingPortions

    /// - Parameters:
    ///   - limit: bytes of a message that is taken.
    ///   - held: bytes that may wait to be sent.
    package init(limit: Int, held: Int = PortionLimits.heldBytes) {
        incoming = IncomingPortions(limit: limit)
        outgoing = OutgoingPortions(limit: held)
    }

    /// Takes what `PortionMessage.isOne` says is of this layer.
    ///
    /// - `mayGoOn`: whether there is room for more of what the other side sends.
    /// - Throws: what the other side may not send; nothing after it can be understood.
    package mutating func take(
        _ frames: [[UInt8]], at now: Double, mayGoOn: (Int) -> Bool = { _ in true }
    ) throws(WireError) -> Step {
        var step = Step()
        switch try PortionMessage(frames: frames) {
        case .portion(let portion):
            step.whole = try incoming.take(portion)
            let credit = mayGoOn(incoming.bytes) ? incoming.allow() : incoming.credit
            step.given.append(try PortionMessage.credit(credit).frames())
        case .credit(let credit): step.given = try outgoing.take(credit, at: now)
        case .cut(let message): try incoming.cut(message)
        }
        return step
    }
}
