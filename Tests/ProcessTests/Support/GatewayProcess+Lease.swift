import Foundation

extension GatewayProcess {
    /// A number of `/metrics`; nil: it is not there.
    func metric(_ name: String) throws -> Double? {
        guard let url = URL(string: url + "/metrics") else { return nil }
        let lines = try String(contentsOf: url, encoding: .utf8).split(separator: "\n")
        return lines.first { $0.hasPrefix(name + " ") }.flatMap { Double($0.dropFirst(name.count + 1)) }
    }

    func waitForLease() throws {
        try wait("a lease: \(process.logText)") { try metric("lethe_gateway_lease") == 1 }
    }
}
