import Foundation
import Messages

/// How far an import that is taken in by portions has come: its marker in the ledger. It names nobody.
struct ImportTaking: Codable {
    var batches: Int
    /// Of all imports that there ever were.
    var number: Int64
    /// The last person who was taken in; nil: nobody yet.
    var position: PersonLookup?
    /// So far, without names.
    var outcome: ImportOutcome
    /// Whose outcome is kept, for a client that asks again.
    var requestID: String?
    /// nil: written by a release before, or everybody goes by the hash.
    var dealing: NewcomerDealing?
    /// Somebody was forgotten meanwhile, and items stay until it is taken in that nobody has any more.
    var keepsItems: Bool?
    /// For each like; nil: none.
    var negatives: Int?
}

/// How far `Ledger.beginImport` and `continueImport` have come.
package enum ImportProgress: Sendable {
    /// Some people are taken in; to be continued.
    case underWay
    /// Nothing was done: another one is being taken in first. To be begun again once it is done.
    case waiting
    case done(ImportOutcome)
}

/// How much of an import is one transaction: others wait for it.
package struct ImportPortion: Sendable {
    package var seconds = 0.05
    package var people = Int.max

    package init(seconds: Double = 0.05, people: Int = .max) {
        self.seconds = seconds
        self.people = people
    }
}

extension ImportOutcome {
    /// What a further portion did.
    mutating func add(_ portion: ImportOutcome) {
        rowsNew += portion.rowsNew
        rowsAlreadyThere += portion.rowsAlreadyThere
        rowsCorrected += portion.rowsCorrected
        promptsAdded += portion.promptsAdded
        promptsRebuilt += portion.promptsRebuilt
        promptsRemoved += portion.promptsRemoved
        shardsChanged = Set(shardsChanged).union(portion.shardsChanged).sorted()
        if let more = portion.negativesDrawn { negativesDrawn = (negativesDrawn ?? 0) + more }
        if let more = portion.dealtToLast { dealtToLast = (dealtToLast ?? 0) + more }
        if let more = portion.leaversDealt { leaversDealt = (leaversDealt ?? 0) + more }
        if let more = portion.promptsShortened { promptsShortened = (promptsShortened ?? 0) + more }
        if let more = portion.shortened { shortened = (shortened ?? []) + more }
    }
}
