import Crypto
import Files
import Foundation
import Messages
import Recommendation
import ZeroMQ

/// Reads a body and sends its batches, on a thread of its own: the reader waits for its bytes.
struct ImportThread: Sendable {
    let door: CoordinatorDoor
    /// Whose import it is.
    let asker: String
    let settings: ImportSettings
    let pipe: BodyPipe

    /// - Parameter key: under which the same import is known for ever; nil: under a random name.
    /// - Throws: `Problem`, `ClientError`.
    func run(key: String?) async throws -> ImportSummary {
        try await withCheckedThrowingContinuation { continuation in
            let thread = Thread {
                let result = Result { try read(key: key) }
                pipe.closeReading()
                continuation.resume(with: result)
            }
            thread.name = "lethe-import"
            thread.start()
        }
    }

    /// An import on its way, as far as its end has to know.
    private struct Sent {
        let importID = UUID().uuidString.lowercased()
        /// Also one whose reply did not come.
        var batches = 0
        var isFinishing = false

        /// Whether the coordinator keeps rows aside that nobody will ask for any more. Of one that may be finished all the same
        /// nothing is dropped.
        func isLeft(after error: any Error) -> Bool {
            guard isFinishing else { return batches > 0 }
            guard let error = error as? ClientError else { return false }
            return ![.unreachable, .keyRefused, .superseded, .cancelled].contains(error.code)
        }
    }

    private func read(key: String?) throws -> ImportSummary {
        var sent = Sent()
        do {
            return try send(key: key, &sent)
        } catch {
            // Should that fail, the coordinator drops them when nobody has continued for a while.
            if sent.isLeft(after: error) {
                _ = try? ask(.dropImport(id: sent.importID), deadline: Self.farewell, patience: Self.farewell)
            }
            throw error
        }
    }

    /// For the last word about an import: whoever sent it waits for the answer.
    private static let farewell = Duration.seconds(5)

    private func send(key: String?, _ sent: inout Sent) throws -> ImportSummary {
        // A new item's fields are read for the template that is on record.
        let configuration = try ReplyCoding.decode(ConfigurationReply.self, from: try ask(.configuration))
        if settings.people == .last { try configuration.requireDealing() }
        let fields = try configuration.prompts?.template?.itemFields() ?? []
        let reader = RatingsReader(
            format: .jsonl, paths: [pipe.path], rules: ReadingRules(timeUnit: settings.unit, itemFields: fields))
        let report: ImportReport
        do {
            report = try reader.forEachBatch { batch in
                let sequence = sent.batches
                sent.batches += 1
                _ = try ask(
                    .importRows(
                        .init(
                            importID: sent.importID, sequence: sequence, items: batch.items,
                            interactions: batch.interactions)))
            }
        } catch let error as RecommendationError {
            if let objection = pipe.objection { throw objection }
            throw Problem.invalid("\(error)".replacing(pipe.path, with: "the body"))
        }
        if let objection = pipe.objection { throw objection }
        guard report.kept > 0 else {
            let reasons = report.samples.prefix(3).map { "line \($0.line): \($0.reason)" }
            throw Problem.invalid(
                (["the body gives no rating: \(report.read) lines read, \(report.refused) refused"] + reasons)
                    .joined(separator: "; "))
        }
        let finish = ClientRequest.FinishImport(
            importID: sent.importID, batches: sent.batches, prompts: settings.prompts, given: settings.given,
            newPeople: settings.people)
        sent.isFinishing = true
        let body = try ask(
            .finishImport(finish), id: try key.map(name(under:)), deadline: .seconds(600), patience: .seconds(600))
        return ImportSummary(try ReplyCoding.decode(ImportReply.self, from: body), report)
    }

    /// Under which the coordinator knows the import for ever. The lines and how they are read are part of it: other lines under a
    /// key that was used before are another import, and are not taken for done.
    private func name(under key: String) throws -> String {
        var hash = SHA256()
        let unit = settings.unit.map { "\($0)" } ?? ""
        var parts = [
            Data(key.utf8), Data(pipe.digest.utf8), try ReplyCoding.encode(settings.prompts), Data(unit.utf8),
        ]
        // Said or not, by the hash is the same; and names of before there was a choice stay.
        if settings.people == .last { parts.append(Data(NewPeople.last.rawValue.utf8)) }
        for part in parts {
            withUnsafeBytes(of: UInt64(part.count).littleEndian) { hash.update(bufferPointer: $0) }
            hash.update(data: part)
        }
        return hash.finalize().hexadecimal
    }

    /// This thread waits for the answer.
    private func ask(
        _ request: ClientRequest, id: String? = nil, deadline: Duration = .seconds(60),
        patience: Duration = .seconds(30)
    ) throws -> Data {
        let answer = Locked<Result<Data, any Error>?>(nil)
        let isThere = DispatchSemaphore(value: 0)
        let (door, asker) = (door, asker)
        Task {
            do {
                let reply = try await door.ask(
                    request, id: id, by: asker, on: .imports, deadline: deadline, patience: patience)
                answer.withLock { $0 = .success(reply) }
            } catch {
                answer.withLock { $0 = .failure(error) }
            }
            isThere.signal()
        }
        isThere.wait()
        guard let answer = answer.withLock({ $0 }) else { throw Problem.internalError }
        return try answer.get()
    }
}

/// What an import did, in the words of `lethe import --json`.
struct ImportSummary: Encodable, Sendable {
    private struct Refused: Encodable {
        var line: Int
        var reason: String
    }

    private var rowsRead: Int
    private var rowsKept: Int
    private var rowsRefused: Int
    private var refused: [Refused]
    private var rowsNew: Int
    private var rowsAlreadyThere: Int
    private var rowsCorrected: Int
    /// Rows of forgotten users or interactions, which stay out.
    private var rowsForgotten: Int
    private var prompts: SplitCounts
    private var promptsAdded: Int
    private var promptsRebuilt: Int
    private var promptsRemoved: Int
    private var shardsChanged: [Int]
    /// People who were new and went to the last slice; absent: all were dealt by the hash.
    private var dealtToLast: Int?

    init(_ reply: ImportReply, _ report: ImportReport) {
        rowsRead = report.read
        rowsKept = report.kept
        rowsRefused = report.refused
        refused = report.samples.map { Refused(line: $0.line, reason: $0.reason) }
        rowsNew = reply.outcome.rowsNew
        rowsAlreadyThere = reply.outcome.rowsAlreadyThere
        rowsCorrected = reply.outcome.rowsCorrected
        rowsForgotten = reply.outcome.rowsRefused
        prompts = reply.prompts
        promptsAdded = reply.outcome.promptsAdded
        promptsRebuilt = reply.outcome.promptsRebuilt
        promptsRemoved = reply.outcome.promptsRemoved
        shardsChanged = reply.outcome.shardsChanged
        dealtToLast = reply.outcome.dealtToLast
    }
}
