import Foundation
import GRDB
import Messages
import Recommendation

/// What a forget request names, looked up in the ledger.
struct ForgetSelection {
    struct Choice {
        var id: Int64
        var name: String
        /// Item and timestamp; nil: all of the person.
        var interactions: Set<Place>?
        /// As the record was when it was looked up; nil: to be opened again, since all of them might not fit in memory.
        var known: KnownPerson?
    }

    /// Records that are kept open from looking them up to changing them.
    static let openRecords = 256

    /// What names an interaction of somebody: a number of the catalogue, and the timestamp.
    struct Place: Hashable {
        var item: Int64
        var timestamp: Int64
    }

    /// By number.
    var people: [Choice] = []
    /// Of damaged records: what they were found by.
    var damaged: [PersonLookup] = []
    /// The same, of whom single interactions are named.
    var partlyDamaged: [PersonLookup] = []
    /// Everything the request names, also what is only staged.
    var tombstones: [Tombstone] = []
    /// All people the request names.
    var names: [String] = []
    /// Imports in progress that hold something of it.
    var imports: Set<String> = []
    /// Users that the request names whole and that were there.
    var wholeUsers = 0
    var alreadyForgotten = 0
    /// Items that nobody names any more stay: an import is being taken in that held something of it, and sees to them at its
    /// end.
    var keepsItems = false
}

extension Ledger {
    /// Looks up what the request names; refuses it whole when anything is unknown. Of very many that are unknown no more are looked
    /// up than a message can list: everybody's acknowledgement waits for it.
    ///
    /// - Throws: `LedgerError.unknownData`, `.invalidRequest`.
    func select(_ request: ClientRequest.ForgetRequest, _ db: Database) throws -> ForgetSelection {
        guard !request.users.isEmpty || !request.interactions.isEmpty else {
            throw LedgerError.invalidRequest(reason: "it names neither users nor interactions")
        }
        for name in request.users + request.interactions.flatMap({ [$0.user, $0.item] }) where name.normalised.isEmpty {
            throw LedgerError.invalidRequest(reason: "one of its users or items is no identifier")
        }
        var selection = ForgetSelection()
        var unknownUsers: [String] = []
        let whole = Set(request.users.map(\.normalised))
        var listed = 0
        for user in whole.sorted() where try !selectWhole(user, &selection, db) {
            unknownUsers.append(user)
            listed += user.utf8.count
            guard listed <= WireLimits.listedBytes else {
                throw LedgerError.unknownData(users: unknownUsers, interactions: [], isCut: true)
            }
        }
        listed = 0
        let targets = Set(
            request.interactions.map {
                ClientRequest.ForgetRequest.Target(
                    user: $0.user.normalised, item: $0.item.normalised, timestamp: $0.timestamp)
            })
        var unknownInteractions: [ClientRequest.ForgetRequest.Target] = []
        var partial: [Int64: ForgetSelection.Choice] = [:]
        for target in targets.sorted(by: Self.isBefore) where !whole.contains(target.user) {
            guard try !selectPart(target, &selection, &partial, db) else { continue }
            unknownInteractions.append(target)
            listed += target.user.utf8.count + target.item.utf8.count
            guard listed <= WireLimits.listedBytes else {
                throw LedgerError.unknownData(users: unknownUsers, interactions: unknownInteractions, isCut: true)
            }
        }
        guard unknownUsers.isEmpty && unknownInteractions.isEmpty else {
            throw LedgerError.unknownData(users: unknownUsers, interactions: unknownInteractions)
        }
        selection.people = (selection.people + partial.values).sorted { $0.id < $1.id }
        return selection
    }

    /// false: nobody knows the user.
    private func selectWhole(_ user: String, _ selection: inout ForgetSelection, _ db: Database) throws -> Bool {
        let found = try people(named: user, db)
        let imports = try importsHolding(user, db)
        let isDamaged = try isDamaged(lookup(user), db)
        if found.isEmpty && imports.isEmpty && !isDamaged {
            guard try hasTombstone(.user(user), db) else { return false }
            selection.alreadyForgotten += 1
            return true
        }
        selection.tombstones.append(.user(user))
        selection.names.append(user)
        selection.wholeUsers += 1
        selection.imports.formUnion(imports)
        if isDamaged { selection.damaged.append(lookup(user)) }
        for known in found {
            if known.person.name != user { selection.names.append(known.person.name) }
            selection.people.append(
                ForgetSelection.Choice(
                    id: known.id, name: known.person.name, interactions: nil,
                    known: selection.people.count < ForgetSelection.openRecords ? known : nil))
        }
        return true
    }

    /// false: nobody knows such an interaction.
    private func selectPart(
        _ target: ClientRequest.ForgetRequest.Target, _ selection: inout ForgetSelection,
        _ partial: inout [Int64: ForgetSelection.Choice], _ db: Database
    ) throws -> Bool {
        let items = Set(try catalogue(db).numbers(of: target.item))
        var found: [(known: KnownPerson, places: [ForgetSelection.Place])] = []
        let people = try people(named: target.user, db)
        for known in people {
            let places = known.person.interactions.filter {
                items.contains($0.item) && (target.timestamp == nil || $0.timestamp == target.timestamp)
            }.map { ForgetSelection.Place(item: $0.item, timestamp: $0.timestamp) }
            if !places.isEmpty { found.append((known, places)) }
        }
        let staged = try stagedInteractions(
            user: target.user, item: target.item, timestamp: target.timestamp, db)
        let isDamaged = try concernsDamaged(target, isThere: !people.isEmpty, db)
        if found.isEmpty && staged.timestamps.isEmpty && !isDamaged {
            guard try wasForgotten(target, db) else { return false }
            selection.alreadyForgotten += 1
            return true
        }
        selection.names.append(target.user)
        selection.imports.formUnion(staged.imports)
        selection.tombstones.append(.pair(user: target.user, item: target.item))
        for timestamp in staged.timestamps {
            let key = InteractionKey(user: target.user, item: target.item, timestamp: timestamp)
            selection.tombstones.append(.interaction(key))
        }
        if isDamaged {
            selection.partlyDamaged.append(lookup(target.user))
            selection.tombstones.append(
                target.timestamp.map {
                    .interaction(InteractionKey(user: target.user, item: target.item, timestamp: $0))
                } ?? .wholePair(user: target.user, item: target.item))
        }
        for (known, places) in found {
            if known.person.name != target.user { selection.names.append(known.person.name) }
            partial[
                known.id, default: ForgetSelection.Choice(id: known.id, name: known.person.name, interactions: [])
            ].interactions?.formUnion(places)
        }
        return true
    }

    private static func isBefore(
        _ left: ClientRequest.ForgetRequest.Target, _ right: ClientRequest.ForgetRequest.Target
    ) -> Bool {
        (left.user, left.item, left.timestamp ?? .min) < (right.user, right.item, right.timestamp ?? .min)
    }

    /// - Parameter ofDamaged: that some of the interactions were, is not enough: there may have been others.
    func wasForgotten(
        _ target: ClientRequest.ForgetRequest.Target, ofDamaged: Bool = false, _ db: Database
    ) throws -> Bool {
        if try hasTombstone(.user(target.user), db) { return true }
        if try hasTombstone(.wholePair(user: target.user, item: target.item), db) { return true }
        guard let timestamp = target.timestamp else {
            return try !ofDamaged && hasTombstone(.pair(user: target.user, item: target.item), db)
        }
        let key = InteractionKey(user: target.user, item: target.item, timestamp: timestamp)
        return try hasTombstone(.interaction(key), db)
    }
}
