import LanguageModels
import Recommendation

extension ClientError {
    /// An error's code for clients and for the coordinator's logic, and its text for people.
    package init(of error: any Error) {
        switch error {
        case let error as ClientError: self = error
        case let error as LedgerError: self.init(error)
        case let error as RecommendationError: self.init(code: .invalidRequest, message: error.description)
        case let error as LanguageModelError: self.init(code: .invalidRequest, message: "\(error)")
        default: self.init(code: .failed, message: "\(error)")
        }
    }

    /// What a ledger's refusal means for whoever asked.
    package init(_ error: LedgerError) {
        switch error {
        case .unknownData(let users, let interactions, let isCut):
            var parts: [String] = []
            if !users.isEmpty { parts.append("no user \(users.listed)") }
            if !interactions.isEmpty {
                let names = interactions.map { target in
                    [target.user, target.item, target.timestamp.map(String.init)].compactMap(\.self).joined(
                        separator: ":")
                }
                parts.append("no interaction \(names.listed)")
            }
            if isCut { parts.append("what follows was not looked up") }
            self.init(
                code: users.isEmpty ? .unknownInteraction : .unknownUser,
                message: parts.joined(separator: "; ") + "; nothing was forgotten")
        case .unknownUser(let user): self.init(code: .unknownUser, message: "no user \(user)")
        case .unknownRequest(let id): self.init(code: .unknownRequest, message: "no forget request \(id)")
        case .adapterDamaged, .adapterLost: self.init(code: .adapterDamaged, message: error.description)
        case .replaced: self.init(code: .dataDirectoryReplaced, message: error.description)
        case .unknownAdapter(let name): self.init(code: .stale, message: "no adapter \(name)")
        case .staleAdapter, .correctionSuperseded, .embeddingsMissing, .requestUnfinished:
            self.init(code: .stale, message: error.description)
        case .invalidAdapter, .notFinite, .embeddingWidth:
            self.init(code: .invalid, message: error.description)
        case .requestConflict(let id):
            self.init(code: .requestConflict, message: "the request id \(id) was used before for another request")
        case .invalidRequest(let reason), .invalidRow(let reason), .invalidConfiguration(let reason):
            self.init(code: .invalidRequest, message: reason)
        case .tooManyPrompts: self.init(code: .tooLarge, message: error.description)
        case .promptsDiffer: self.init(code: .promptsDiffer, message: error.description)
        case .conflictingTitles, .undealtPeople, .undrawable:
            self.init(code: .invalidRequest, message: error.description)
        case .unknownImport(let id):
            self.init(code: .invalidRequest, message: "no import \(id) is under way; send its rows again")
        case .importIncomplete(_, let expected, let missing):
            self.init(
                code: .invalidRequest,
                message: "\(missing.count) of the import's \(expected) batches are missing; send them again")
        case .nothingToPartition:
            self.init(code: .noData, message: "there are no training prompts yet; import data first")
        case .diskFull(let path):
            self.init(code: .diskFull, message: "the disk that holds \(path) is full; nothing was changed")
        case .corrupt(let path, let reason):
            self.init(code: .corrupt, message: "\(path) is damaged: \(reason)")
        default: self.init(code: .failed, message: "\(error)")
        }
    }
}
