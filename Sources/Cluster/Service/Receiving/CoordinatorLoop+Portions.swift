import Coordination
import Messages
import ZeroMQ

/// Long messages to and from workers, in portions: the layer between the socket and whoever says or reads messages.
extension CoordinatorLoop {
    /// Seconds of the loop's clock.
    private var seconds: Double { Double(now.milliseconds) / 1000 }

    /// To a worker what is long goes in portions, to anybody else whole.
    func send(_ peer: PeerID, _ parcel: Parcel) {
        guard links.has(peer) else {
            give(peer, parcel.frames)
            return
        }
        do throws(OutgoingPortions.Full) {
            // What goes in portions has its version inside.
            var parcel = parcel
            parcel.frames = said(parcel.frames, to: peer)
            giveAll(try links.send(parcel, to: peer, at: seconds), to: peer)
        } catch {
            return cutOff(peer, because: .unread)
        }
        if links.isOverfull { closeDue() }
        if (socket.connections?.unread(by: peer.bytes) ?? 0) > PortionLimits.unreadBytes {
            cutOff(peer, because: .unread)
        }
    }

    /// Whoever calls it lets others go on after that.
    ///
    /// - Returns: the message that is whole with this; nil: none is.
    func take(portion arrival: Arrival) -> Arrival? {
        let step: PortionExchange.Step
        do throws(WireError) {
            step = try links.take(
                arrival.frames, from: arrival.peer, at: seconds, undecoded: workerMessages.bytesInPortions)
        } catch {
            if peerLog.admits("portions that cannot be") {
                logger.warning("cannot go on", metadata: ["peer": "\(arrival.peer)", "reason": "\(error)"])
            }
            cutOff(arrival.peer, because: .portions)
            return nil
        }
        giveAll(step.given, to: arrival.peer)
        return step.whole.map { arrival.whole($0) }
    }

    /// Bytes of long messages are life, and news of what they are about, in both directions.
    func lookAtLinks() {
        if let connections = socket.connections {
            links.keep { connections.isOpen($0.bytes) }
            // Nothing is sent to workers that are away, so nothing else tells that one is not heard again there, and counts no more.
            for peer in coordinator.keptConnections where !connections.isOpen(peer.bytes) {
                waitingTasks.remove(peer)
                handle(.unreachable(peer: peer))
            }
            versions = versions.filter { connections.isOpen($0.key.bytes) }
            // Who greets anew from each of many connections is a worker at one of them.
            // One that was lost by silence in the middle of a message is no stranger.
            let workers = coordinator.workerConnections
            connections.allow(unfinishedBytes: Self.unfinishedBytesOfWorker) { workers.contains(PeerID($0)) }
        }
        for peer in links.takeNews() { handle(.alive(peer: peer)) }
        closeDue()
        letGoOn()
        handOut()
    }

    func letGoOn() {
        let undecoded = workerMessages.bytesInPortions
        for (peer, frames) in links.letGoOn(at: seconds, undecoded: undecoded) { give(peer, frames) }
    }

    private func closeDue() {
        for (peer, reason) in links.due(at: seconds) { cutOff(peer, because: reason) }
    }

    func cutOff(_ peer: PeerID, because reason: ConnectionClosing) {
        links.remove(peer)
        waitingTasks.remove(peer)
        socket.connections?.close(peer.bytes, because: reason)
        handle(.unreachable(peer: peer, because: "its connection was closed: \(reason)"))
    }

    private func giveAll(_ messages: [[[UInt8]]], to peer: PeerID) {
        for frames in messages { guard give(peer, frames) else { return } }
    }
}
