/// Why a list of keys cannot be used.
package struct AllowListError: Error, Hashable, Sendable, CustomStringConvertible {
    /// As it was named; nil: of no file.
    package var path: String?
    /// From 1.
    package var line: Int?
    package var reason: String

    package init(path: String? = nil, line: Int? = nil, _ reason: String) {
        (self.path, self.line, self.reason) = (path, line, reason)
    }

    package var description: String {
        let place = [path, line.map { "line \($0)" }].compactMap(\.self).joined(separator: ", ")
        return place.isEmpty ? reason : "\(place): \(reason)"
    }
}
