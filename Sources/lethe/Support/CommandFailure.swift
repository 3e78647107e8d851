import ArgumentParser
import Files
import Foundation
import Gateway
import LanguageModels
import Messages
import Recommendation
import Service
import Unlearning
import Worker
import ZeroMQ

/// How a command ends. Documented in the README; scripts rely on the numbers.
enum ExitStatus: Int32 {
    case success = 0
    /// The request failed; the message says why.
    case failed = 1
    /// `verify` found bytes that differ.
    case mismatch = 2
    /// Wrong arguments (ArgumentParser's own number).
    case usage = 64
    /// A file or an identifier in the request is not usable.
    case badInput = 65
    /// No coordinator answers.
    case unreachable = 69
    /// The cluster cannot do this at the moment: no data, no training, no clean adapter.
    case notReady = 75
    /// The coordinator refuses this worker or client: other base model, protocol version, precision, arithmetic or key; or
    /// another coordinator of the cluster came after it.
    case refused = 77
}

/// An error with the status the process ends with.
struct CommandFailure: Error, CustomStringConvertible {
    var status: ExitStatus
    var message: String

    init(_ status: ExitStatus, _ message: String) {
        self.status = status
        self.message = message
    }

    var description: String { message }

    /// What any error means for the person at the terminal.
    init(_ error: any Error) {
        switch error {
        case let failure as CommandFailure: self = failure
        case let error as ClientError: self.init(Self.status(of: error.code), error.message)
        case let error as LanguageModelError: self.init(.badInput, error.description)
        case RecommendationError.invalidColumns(let reason): self.init(.usage, reason)
        case let error as RecommendationError: self.init(.badInput, error.description)
        case let error as ZeroMQError: self.init(.badInput, error.description)
        case UnlearningError.invalidSpecification(let reason): self.init(.usage, reason)
        case let error as TaskFailure: self.init(Self.status(of: error), error.message)
        case let error as FileFailure: self.init(error.isFull ? .failed : .badInput, error.description)
        case let error as WorkerError: self.init(.badInput, error.description)
        case LedgerError.invalidConfiguration(let reason): self.init(.usage, reason)
        case let error as CoordinatorStartError: self.init(.usage, error.description)
        case LedgerError.configurationChanged(let field, let recorded, let given):
            self.init(
                .usage,
                "\(field) was \(recorded) when this cluster was first started and cannot be \(given) now; "
                    + "start with the recorded value, or a new cluster in another --data folder")
        case LedgerError.superseded: self.init(.refused, "\(error)")
        case GatewayError.listening(let reason): self.init(.failed, reason)
        case let error as GatewayError: self.init(.usage, error.description)
        case let error as CocoaError: self.init(.badInput, error.localizedDescription)
        default: self.init(.failed, "\(error)")
        }
    }

    /// Of a worker that cannot start: its model or its folder.
    private static func status(of failure: TaskFailure) -> ExitStatus {
        let causes: [ErrorCode] = [.model, .notFinite, .adapterMismatch, .storage]
        return causes.contains(failure.code) ? .badInput : .failed
    }

    private static func status(of code: ErrorCode) -> ExitStatus {
        switch code {
        case .unreachable: .unreachable
        case .superseded: .refused
        case .noData, .oneLabel, .notTrained, .noCleanAdapter, .busy, .dataChanged, .workerLive: .notReady
        case .unknownUser, .unknownItem, .unknownInteraction, .invalidRequest, .unknownOperation, .unknownRequest,
            .unknownAdapter, .unknownWorker, .noCopies, .requestConflict, .methodNotAvailable, .promptsDiffer,
            .tooLarge:
            .badInput
        default: .failed
        }
    }
}

/// Runs the body and turns any error into one line on standard error and a documented exit status.
func reportingFailures(json: Bool, _ body: () throws -> Void) throws {
    do {
        try body()
    } catch let exit as ExitCode {
        throw exit
    } catch {
        let failure = CommandFailure(error)
        if json {
            let code = (error as? ClientError)?.code.rawValue ?? "failed"
            try? Output(json: true).emit(["error": ["code": code, "message": failure.message]]) { "" }
        }
        Output.note("error: \(failure.message)")
        throw ExitCode(failure.status.rawValue)
    }
}
