/// Why bytes are no part of a staged batch.
enum StagedFault: Error, Hashable, Sendable, CustomStringConvertible {
    case endsEarly
    case goesOn
    case badNumber
    case badText
    case badVersion
    /// A reference to a text that is not there.
    case noSuchText
    /// People that do not ascend, or parts that do not follow one another.
    case badOrder

    var description: String {
        switch self {
        case .endsEarly: "it ends early"
        case .goesOn: "it does not end where it should"
        case .badNumber: "it holds a number that is none"
        case .badText: "it holds a text that is none"
        case .badVersion: "it is laid out in another way"
        case .noSuchText: "it refers to a text that is not there"
        case .badOrder: "its parts are out of order"
        }
    }
}
