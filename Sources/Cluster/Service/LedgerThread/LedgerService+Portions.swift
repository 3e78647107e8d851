import Ledger
import Messages

/// What reads everybody is done a portion at a time; whatever waits for the ledger goes in between.
extension LedgerService {
    /// - `step`: reads a portion; nil: it goes on.
    /// - `done`: called once, with what was read at the end.
    func goOnReading<Value>(
        _ step: @escaping (LedgerService) throws -> Value?,
        then done: @escaping (LedgerService, Result<Value, ClientError>) -> Void
    ) {
        nextReading += 1
        let number = nextReading
        portions[number] = { service in
            let found = service.result { try step(service) }
            if case .success(nil) = found { return false }
            service.portions[number] = nil
            done(service, found.flatMap { $0.map(Result.success) ?? .failure(.unreadPortion) })
            return true
        }
        goOnReading(number)
    }

    private func goOnReading(_ number: Int) {
        while let portion = portions[number], !portion(self) {
            if let later { return later(.call { $0.goOnReading(number) }) }
        }
    }
}

extension ClientError {
    /// Never told: nothing ends without anything.
    fileprivate static let unreadPortion = ClientError(code: .failed, message: "nothing was read")
}
