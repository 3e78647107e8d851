/// One direction of a worker's connection, at its sending end: long messages go in portions, one message after the other, and
/// short ones pass between them. A value: it sends nothing itself.
///
/// Every answer is what the socket is to be given now, in this order. What waits here is counted in bytes; what the socket has
/// and the other side has not read is never more than the window, but for short messages.
package struct OutgoingPortions: Sendable {
    /// So much waits already that the message was not taken.
    package struct Full: Error {}

    private struct Transfer {
        var parcel: Parcel
        /// Where the next portion begins: a frame, and a byte of it.
        var frame = 0
        var byte = 0
        var offset = 0

        var rest: Int { parcel.bytes - offset }
    }

    private let limit: Int
    private var waiting: [Parcel] = []
    private var current: Transfer?
    private var message = 0
    private var window = PortionWindow()
    /// Bytes of portions over the connection: sent, read by the other side, and allowed by it.
    package private(set) var sentBytes = 0
    private var (confirmed, allowed) = (0, PortionLimits.firstCredit)
    /// Up to where had been sent when.
    private var marks: [(upTo: Int, at: Double)] = []
    private var lastNews = 0.0
    /// Bytes that wait here.
    package private(set) var heldBytes = 0

    package init(limit: Int = PortionLimits.heldBytes) {
        self.limit = limit
    }

    /// Bytes that were given to the socket and are not confirmed.
    package var bytesOnTheWay: Int { sentBytes - confirmed }

    /// Whether the other side has not read for too long what it was sent.
    package func isStalled(at now: Double) -> Bool {
        bytesOnTheWay > 0 && now - lastNews > PortionLimits.patience
    }

    // MARK: what happens

    package mutating func send(_ parcel: Parcel, at now: Double) throws(Full) -> [[[UInt8]]] {
        var given: [[[UInt8]]] = []
        if let subject = parcel.takesBack { given += takeBack(subject, at: now) }
        guard parcel.isLong || isWaited(for: parcel) else { return given + [parcel.frames] }
        // One of any size may wait alone: what may be said at all can be said.
        guard heldBytes == 0 || heldBytes + parcel.heldBytes <= limit else { throw Full() }
        waiting.append(parcel)
        heldBytes += parcel.heldBytes
        return given + proceed(at: now)
    }

    /// What waits about this is not wanted any more.
    package mutating func takeBack(_ subject: Parcel.Subject, at now: Double) -> [[[UInt8]]] {
        for parcel in waiting where parcel.subjects.contains(subject) { heldBytes -= parcel.heldBytes }
        waiting.removeAll { $0.subjects.contains(subject) }
        guard let transfer = current, transfer.parcel.subjects.contains(subject) else { return [] }
        heldBytes -= transfer.rest + PortionLimits.parcelBytes
        current = nil
        let cut = (try? PortionMessage.cut(message: message).frames()).map { [$0] } ?? []
        return cut + proceed(at: now)
    }

    package mutating func take(_ credit: PortionCredit, at now: Double) throws(WireError) -> [[[UInt8]]] {
        guard credit.received >= confirmed, credit.received <= sentBytes, credit.upTo >= allowed,
            credit.upTo - credit.received <= PortionLimits.mostWindow
        else { throw .malformed(reason: "a credit that cannot be") }
        let count = credit.received - confirmed
        (confirmed, allowed) = (credit.received, credit.upTo)
        lastNews = now
        let passed = marks.firstIndex { $0.upTo > confirmed } ?? marks.endIndex
        if passed > 0 {
            window.confirmed(count, sentAt: marks[passed - 1].at, at: now)
            marks.removeFirst(passed)
        }
        return proceed(at: now)
    }

    // MARK: parts

    private func isWaited(for parcel: Parcel) -> Bool {
        guard !parcel.subjects.isEmpty else { return false }
        let isSame = { (other: Parcel) in other.subjects.contains { parcel.subjects.contains($0) } }
        return current.map { isSame($0.parcel) } == true || waiting.contains(where: isSame)
    }

    private mutating func proceed(at now: Double) -> [[[UInt8]]] {
        var given: [[[UInt8]]] = []
        while current != nil || !waiting.isEmpty {
            if current == nil {
                let next = waiting.removeFirst()
                guard next.isLong else {
                    heldBytes -= next.heldBytes
                    given.append(next.frames)
                    continue
                }
                message += 1
                current = Transfer(parcel: next)
            }
            guard let portion = nextPortion() else { break }
            if bytesOnTheWay == 0 { lastNews = now }
            sentBytes += portion.bytes
            heldBytes -= portion.bytes
            marks.append((sentBytes, now))
            // Of this size and form it always has frames.
            if let frames = try? PortionMessage.portion(portion).frames() { given.append(frames) }
            if current?.rest == 0 {
                heldBytes -= PortionLimits.parcelBytes
                current = nil
            }
        }
        return given
    }

    /// nil: the next one has to wait for a credit.
    private mutating func nextPortion() -> Portion? {
        guard let rest = current?.rest else { return nil }
        let wanted = min(window.portion, rest)
        let room = min(window.bytes - bytesOnTheWay, allowed - sentBytes)
        // Whole portions, as long as one is on its way whose credit makes room.
        guard room > 0, room >= wanted || bytesOnTheWay == 0 else { return nil }
        guard var transfer = current else { return nil }
        // Whatever is kept of it is not copied.
        current = nil
        var left = min(wanted, room)
        var portion = Portion(
            message: message, offset: transfer.offset, total: transfer.parcel.bytes, frames: [], endsFrame: true)
        while transfer.frame < transfer.parcel.frames.count, portion.frames.count < PortionLimits.frames {
            let frame = transfer.parcel.frames[transfer.frame]
            let count = min(left, frame.count - transfer.byte)
            guard count > 0 || frame.isEmpty else { break }
            portion.frames.append(Array(frame[transfer.byte..<transfer.byte + count]))
            left -= count
            transfer.byte += count
            transfer.offset += count
            portion.endsFrame = transfer.byte == frame.count
            guard portion.endsFrame else { break }
            // Its bytes are not needed any more.
            transfer.parcel.frames[transfer.frame] = []
            (transfer.frame, transfer.byte) = (transfer.frame + 1, 0)
        }
        current = transfer
        return portion
    }
}
