import Foundation
import Recommendation

extension String {
    /// As identifiers are stored (`Identifier.canonical`); empty, which names nobody, where the text cannot be one.
    package var normalised: String {
        (try? Identifier.canonical(self)) ?? ""
    }
}

extension Date {
    var milliseconds: Int64 { Int64((timeIntervalSince1970 * 1000).rounded()) }
    init(milliseconds: Int64) { self.init(timeIntervalSince1970: Double(milliseconds) / 1000) }
    /// As it comes back from the ledger.
    var stored: Date { Date(milliseconds: milliseconds) }
}
