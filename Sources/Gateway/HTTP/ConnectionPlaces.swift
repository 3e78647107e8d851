/// The places that connections take, and which of them gives way when all are taken and another one comes. A value: what it knows
/// of a connection it is told.
///
/// First go those on which nobody has asked for anything that takes a token (or, without tokens, for more than what is open to
/// everybody), then those that are idle: of each kind one of the address that has the most, the one for which nothing has
/// changed for longest. A request of somebody who was admitted is never cut off for another connection.
struct ConnectionPlaces {
    private enum Standing: Int {
        case idleStranger, busyStranger, idle, busy
    }

    private struct Place {
        var network: [UInt8]
        var isAdmitted = false
        var isBusy = false
        /// When it became idle or busy, in the order of such changes.
        var turn: Int

        var standing: Standing {
            isAdmitted ? (isBusy ? .busy : .idle) : (isBusy ? .busyStranger : .idleStranger)
        }
    }

    let limit: Int
    private var places: [Int: Place] = [:]
    private var perNetwork: [[UInt8]: Int] = [:]
    /// Names places and orders changes; neither comes twice.
    private var next = 0

    init(limit: Int) { self.limit = max(1, limit) }

    /// Without those that have given way.
    var count: Int { places.count }

    /// - Parameter address: 4 or 16 bytes; none: nobody knows.
    /// - Returns: its name, and the place that is to be left for it, which is its own where nobody gives way.
    mutating func enter(_ address: [UInt8]) -> (place: Int, leaving: Int?) {
        let network = Self.network(of: address)
        let place = turn()
        places[place] = Place(network: network, turn: place)
        perNetwork[network, default: 0] += 1
        guard places.count > limit else { return (place, nil) }
        let leaving = givingWay(to: place)
        leave(leaving)
        return (place, leaving)
    }

    mutating func leave(_ place: Int) {
        guard let network = places.removeValue(forKey: place)?.network else { return }
        let left = (perNetwork[network] ?? 1) - 1
        perNetwork[network] = left > 0 ? left : nil
    }

    /// Whoever asks there may.
    mutating func admit(_ place: Int) { places[place]?.isAdmitted = true }

    /// Whether a request is under way.
    mutating func set(_ place: Int, isBusy: Bool) {
        let turn = turn()
        places[place]?.isBusy = isBusy
        places[place]?.turn = turn
    }

    private mutating func turn() -> Int {
        next += 1
        return next
    }

    private func givingWay(to newcomer: Int) -> Int {
        var found: (place: Int, rank: (Int, Int, Int))?
        // No two have one rank: the order of a Dictionary does not matter.
        for (name, place) in places where name != newcomer && place.standing != .busy {
            let rank = (place.standing.rawValue, -(perNetwork[place.network] ?? 0), place.turn)
            if found.map({ rank < $0.rank }) ?? true { found = (name, rank) }
        }
        return found?.place ?? newcomer
    }

    /// Somebody who has an IPv6 address has as many as there are below its first 64 bits.
    private static func network(of address: [UInt8]) -> [UInt8] {
        address.count == 16 ? Array(address.prefix(8)) : address
    }
}
