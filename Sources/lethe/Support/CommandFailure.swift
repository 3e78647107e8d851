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
        case let error as ClientError: self.init(ExitStatus(error.code), error.message)
        case let error as LanguageModelError: self.init(.badInput, error.description)
        case RecommendationError.invalidColumns(let reason): self.init(.usage, reason)
        case RecommendationError.invalidConfiguration: self.init(.usage, "\(error)")
        case let error as RecommendationError: self.init(.badInput, error.description)
        case let error as ZeroMQError: self.init(Self.status(of: error), error.description)
        case UnlearningError.invalidSpecification(let reason): self.init(.usage, reason)
        case let error as TaskFailure: self.init(Self.status(of: error), error.message)
        case let error as AllowListError: self.init(.badInput, error.description)
        case let error as FileFailure: self.init(error.isFull ? .failed : .badInput, error.description)
        case let error as WorkerError: self.init(Self.status(of: error), error.description)
        case let error as CoordinatorStartError:
            if case .endpointInUse = error {
                self.init(.notReady, error.description)
            } else {
                self.init(.usage, error.description)
            }
        case LedgerError.invalidConfiguration(let reason): self.init(.usage, reason)
        case LedgerError.configurationChanged(let field, let recorded, let given):
            self.init(
                .usage,
                "\(field) was \(recorded) when this cluster was first started and cannot be \(given) now; "
                    + "start with the recorded value, or a new cluster in another --data folder")
        case let error as LedgerError: self.init(Self.status(of: error), error.description)
        case GatewayError.listening(let reason): self.init(.notReady, reason)
        case GatewayError.tokens(let reason), GatewayError.certificate(let reason): self.init(.badInput, reason)
        case let error as GatewayError: self.init(.usage, error.description)
        case is CocoaError:
            guard let failure = FileFailure("cannot use", error), !failure.path.isEmpty else {
                self.init(.badInput, FileFailure.reason(of: error))
                return
            }
            self.init(failure)
        default: self.init(.failed, "\(error)")
        }
    }

    /// Of a worker that cannot start: its model or its folder.
    private static func status(of failure: TaskFailure) -> ExitStatus {
        let causes: [ErrorCode] = [.model, .notFinite, .adapterMismatch, .storage]
        return causes.contains(failure.code) ? .badInput : .failed
    }

    private static func status(of error: ZeroMQError) -> ExitStatus {
        switch error {
        case .malformedEndpoint, .invalidEndpoint: .usage
        case .addressInUse: .notReady
        default: .badInput
        }
    }

    private static func status(of error: WorkerError) -> ExitStatus {
        switch error {
        case .refused: .refused
        case .dataDirectoryInUse: .notReady
        case .healthAddress: .notReady
        case .deletedUntold: .unreachable
        case .dataDirectory: .badInput
        }
    }

    /// Of a coordinator's folder, opened here.
    private static func status(of error: LedgerError) -> ExitStatus {
        switch error {
        case .superseded: .refused
        case .inUse: .notReady
        case .corrupt, .keyUnusable, .olderThanHead, .storage: .badInput
        default: .failed
        }
    }

    /// The object that stands on standard output with `--json`.
    ///
    /// - `code`: as a coordinator calls it, where one did.
    func emit(code: String) {
        struct Report: Encodable {
            struct Failure: Encodable {
                var code: String
                var kind: String
                var message: String
                var status: Int32
            }

            var error: Failure
        }
        let failure = Report.Failure(code: code, kind: status.kind, message: message, status: status.rawValue)
        try? Output(json: true).emit(Report(error: failure)) { "" }
        fflush(nil)
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
            let code = (error as? ClientError)?.code.rawValue
            failure.emit(code: code ?? (failure.status == .usage ? failure.status.kind : "failed"))
        }
        Output.note("error: \(failure.message)")
        throw ExitCode(failure.status.rawValue)
    }
}
