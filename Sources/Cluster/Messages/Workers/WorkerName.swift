/// What people call a worker: chosen with `--name`, or by the coordinator from the worker's host. Names enter logs, replies and
/// certificates, and come from outside.
public enum WorkerName {
    /// Bytes, in UTF-8.
    public static let lengths = 1...64

    /// Why this is no name; nil: it is one.
    public static func objection(to name: String) -> String? {
        guard lengths.contains(name.utf8.count) else {
            return
                "the name of a worker must have \(lengths.lowerBound) to \(lengths.upperBound) bytes, not \(name.utf8.count)"
        }
        guard name.unicodeScalars.allSatisfy({ $0.isPrintable && !$0.properties.isWhitespace }) else {
            return "the name of a worker must be printable: without spaces, line breaks and other control characters"
        }
        return nil
    }

    /// The host in "host:4711", as a name may have it.
    package static func host(of process: String) -> String {
        let host = process.lastIndex(of: ":").map { process[..<$0] } ?? process[...]
        var name = ""
        for character in host.prefix(lengths.upperBound) {
            let isFit = character.unicodeScalars.allSatisfy { $0.isPrintable && !$0.properties.isWhitespace }
            // Room for a number.
            guard name.utf8.count + character.utf8.count <= lengths.upperBound - 8 else { break }
            name.append(isFit ? character : "_")
        }
        return name.isEmpty ? "worker" : name
    }

    /// The host's name with the smallest number that nobody has.
    package static func numbered(host: String, taken: Set<String>) -> String {
        var number = 1
        while taken.contains("\(host)-\(number)") { number += 1 }
        return "\(host)-\(number)"
    }

    /// Whether it is such a name of the host.
    package static func isNumbered(_ name: String, host: String) -> Bool {
        guard name.hasPrefix(host + "-") else { return false }
        let number = name.utf8.dropFirst(host.utf8.count + 1)
        return !number.isEmpty && number.allSatisfy { (48...57).contains($0) }
    }
}

extension WorkerMessage.Hello {
    /// What the worker calls itself: the name that it was started with, else its host and process.
    package var claim: String { label ?? name }
}
