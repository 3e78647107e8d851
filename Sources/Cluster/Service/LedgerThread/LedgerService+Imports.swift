import Foundation
import Ledger
import Messages
import Recommendation

/// Imports are taken in a portion at a time; whatever waits for the ledger goes in between.
extension LedgerService {
    /// Called with the reply to whoever waits for an import.
    typealias ImportWaiter = (LedgerService, Result<Data, ClientError>) -> Void

    /// Goes on with what a coordinator before this one had begun, and with what found no room on the disk; drops what its
    /// client left.
    func continueImports() {
        for importID in (try? ledger.importsUnderWay()) ?? [] where !importsFollowed.contains(importID) {
            continueImport(importID, requestID: nil)
        }
        // What cannot be dropped now is tried again a minute later.
        _ = try? ledger.dropAbandonedImports(at: Date())
    }

    func beginImport(_ request: ClientRequest.FinishImport, requestID: String) {
        let importID = request.importID
        do {
            // The import is gone once it is finished; a client that asks again gets the same reply.
            if let stored = try ledger.reply(requestID: requestID) {
                dropRows(of: importID)
                return tell(importID, .success(stored))
            }
            if let known = try ledger.importOutcome(requestID: requestID) {
                dropRows(of: importID)
                return end(importID, known, requestID: requestID)
            }
            // One that is being taken in has passed already; another request for it must not drop it.
            if try !ledger.importsUnderWay().contains(importID) { try checkWords(request) }
            let progress = try ledger.beginImport(
                importID: importID, batches: request.batches, prompts: request.prompts, given: request.given,
                changePrompts: request.changePrompts, people: request.newPeople ?? .hash,
                leavers: request.leavers ?? [], negatives: request.negatives ?? 0, at: Date(), requestID: requestID)
            if case .waiting = progress { return importsWaiting.append((request, requestID)) }
            follow(progress, importID, requestID: requestID)
        } catch {
            fail(importID, error)
        }
    }

    /// Of an import that was sent again under its name, and is done or under way with the rows that came first. One that is being
    /// taken in stays.
    func dropRows(of importID: String) {
        // What cannot be dropped now is dropped when nobody has continued it for a while.
        _ = try? ledger.dropImport(importID: importID, at: Date())
    }

    /// Words that the base model cannot answer in are refused before anything is taken in, not at the first training.
    private func checkWords(_ request: ClientRequest.FinishImport) throws {
        let recorded = try ledger.promptConfiguration()
        let wanted = recorded?.taking(request.given, from: request.prompts) ?? request.prompts
        do {
            guard let frame = try PromptBuilder(configuration: wanted).frame else { return }
            try checksWords?(frame)
        } catch {
            // It can never be taken in like this.
            try ledger.abandonImport(importID: request.importID, at: Date())
            throw error
        }
    }

    private func continueImport(_ importID: String, requestID: String?) {
        importsFollowed.remove(importID)
        do {
            // A forget request may have had the rest taken in, of one that a release before staged.
            if let requestID, let known = try ledger.importOutcome(requestID: requestID) {
                return end(importID, known, requestID: requestID)
            }
            follow(try ledger.continueImport(importID: importID, at: Date()), importID, requestID: requestID)
        } catch {
            fail(importID, error)
        }
    }

    private func follow(_ progress: ImportProgress, _ importID: String, requestID: String?) {
        switch progress {
        case .underWay:
            tellChange()
            guard importsFollowed.insert(importID).inserted else { return }
            later?(.call { $0.continueImport(importID, requestID: requestID) })
        case .waiting: break
        case .done(let outcome): end(importID, outcome, requestID: requestID)
        }
    }

    private func end(_ importID: String, _ outcome: ImportOutcome, requestID: String?) {
        let reply = result { () throws -> Data in
            let snapshot = try ledger.snapshot()
            var reply = ImportReply(
                outcome: outcome,
                prompts: SplitCounts(
                    train: snapshot.trainingPrompts, validation: snapshot.validationPrompts,
                    test: snapshot.testPrompts),
                likes: try ledger.likes(), shardsOfOneLabel: snapshot.shards.filter(\.hasOneLabel).map(\.index))
            let body = try ReplyCoding.encode(reply)
            if let requestID {
                reply.outcome = outcome.withoutNames
                try ledger.store(reply: try ReplyCoding.encode(reply), requestID: requestID, at: Date())
            }
            return body
        }
        tell(importID, reply)
    }

    private func fail(_ importID: String, _ error: any Error) {
        let error = ClientError(of: error)
        let isUnderWay = (try? ledger.importsUnderWay())?.contains(importID) ?? false
        // Nobody waits for what goes on when somebody has made room.
        if isUnderWay { for waiting in takeWaiting() { tell(waiting.request.importID, .failure(error)) } }
        tell(importID, .failure(error.code == .diskFull && isUnderWay ? .noRoomForTheRest : error))
    }

    private func tell(_ importID: String, _ reply: Result<Data, ClientError>) {
        tellChange()
        for waiter in importWaiters.removeValue(forKey: importID) ?? [] { waiter(self, reply) }
        for waiting in takeWaiting() {
            later?(.call { $0.beginImport(waiting.request, requestID: waiting.requestID) })
        }
    }

    private func takeWaiting() -> [(request: ClientRequest.FinishImport, requestID: String)] {
        defer { importsWaiting = [] }
        return importsWaiting
    }

    private func tellChange() {
        whenDataChanges?()
        publishFacts()
    }
}

extension ClientError {
    fileprivate static let noRoomForTheRest = ClientError(
        code: .diskFull,
        message:
            "the coordinator's disk is full; a part of the import is taken in, and the rest follows by itself within a "
            + "minute of there being room, or when the import is sent again")
}
