import Foundation
import Messages
import ZeroMQ

/// The text of a list of keys: `ROLE[,ROLE…] PUBLIC-KEY [name=NAME] [worker=ID|NAME|any] [# comment]`, one key a line.
///
/// Empty lines and lines that begin with `#` say nothing. What a person wrote stays as it is where nothing of it changes.
package struct AllowListText: Sendable {
    package static let largest = 1 << 20
    package static let mostKeys = 4096

    private enum Line: Sendable {
        case key(KeyEntry, text: String)
        case other(String)

        var text: String {
            switch self {
            case .key(_, let text), .other(let text): text
            }
        }
    }

    private var lines: [Line]

    /// A new list, which says how it is written.
    package init() {
        let heading = """
            # Keys that may connect to this coordinator, one a line: ROLE[,ROLE…] PUBLIC-KEY [name=NAME] [worker=ID|NAME|any]
            # Roles: worker, query, data, forget, audit, admin, gateway. The coordinator reads it again at SIGHUP.
            """
        lines = heading.split(separator: "\n").map { .other(String($0)) }
    }

    /// - Throws: `AllowListError` for the first line that is none: a list of which a part is not understood is not used.
    package init(parsing bytes: [UInt8]) throws(AllowListError) {
        guard bytes.count <= Self.largest else { throw AllowListError("it is longer than \(Self.largest) bytes") }
        guard var text = String(validating: bytes, as: UTF8.self) else {
            throw AllowListError("it is no text in UTF-8")
        }
        if text.hasPrefix("\u{FEFF}") { text.removeFirst() }
        // What was cut off, or never written, is not to be taken for a list that lets nobody in.
        guard text.contains(where: { !$0.isWhitespace }) else {
            throw AllowListError("it is empty; a list that lets nobody in has at least a comment")
        }
        lines = []
        var (keys, names): (Set<CurvePublicKey>, Set<String>) = ([], [])
        var rest = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        if rest.last?.isEmpty == true { rest.removeLast() }
        for (number, line) in rest.enumerated() {
            do throws(AllowListError) {
                guard let entry = try Self.entry(line) else {
                    lines.append(.other(String(line)))
                    continue
                }
                guard keys.insert(entry.key).inserted else { throw AllowListError("the key is on the list already") }
                if let name = entry.name, !names.insert(name).inserted {
                    throw AllowListError("the name \(name) is another key's already")
                }
                guard keys.count <= Self.mostKeys else {
                    throw AllowListError("there are more than \(Self.mostKeys) keys")
                }
                lines.append(.key(entry, text: String(line)))
            } catch {
                throw AllowListError(line: number + 1, error.reason)
            }
        }
    }

    package var entries: [KeyEntry] {
        lines.compactMap { if case .key(let entry, _) = $0 { entry } else { nil } }
    }

    package var text: String { lines.map { $0.text + "\n" }.joined() }

    // MARK: changes

    /// The key's line says this from now on; its comment stays.
    ///
    /// - Throws: `AllowListError` where another key has the name, or the name is none.
    package mutating func allow(_ entry: KeyEntry) throws(AllowListError) {
        if let name = entry.name {
            if let objection = KeyEntry.objection(toName: name) { throw AllowListError(objection) }
            guard !entries.contains(where: { $0.name == name && $0.key != entry.key }) else {
                throw AllowListError("the name \(name) is another key's already")
            }
        }
        if case .named(let name) = entry.worker, let objection = KeyEntry.objection(toName: name) {
            throw AllowListError(objection)
        }
        let position = lines.firstIndex { if case .key(let known, _) = $0 { known.key == entry.key } else { false } }
        guard let position else {
            guard entries.count < Self.mostKeys else { throw AllowListError("there are \(Self.mostKeys) keys already") }
            lines.append(.key(entry, text: Self.text(entry)))
            return
        }
        let comment = Self.fields(lines[position].text[...]).comment
        lines[position] = .key(entry, text: ([Self.text(entry)] + [comment].compactMap(\.self)).joined(separator: "  "))
    }

    /// - Returns: whose line is gone; nil: there is none of this key or name.
    package mutating func revoke(_ keyOrName: String) -> KeyEntry? {
        for (position, line) in lines.enumerated() {
            guard case .key(let entry, _) = line, entry.key.text == keyOrName || entry.name == keyOrName else {
                continue
            }
            lines.remove(at: position)
            return entry
        }
        return nil
    }

    // MARK: one line

    private static func text(_ entry: KeyEntry) -> String {
        var parts = [entry.roles.sorted().map(\.rawValue).joined(separator: ","), entry.key.text]
        if let name = entry.name { parts.append("name=\(name)") }
        if entry.roles.contains(.worker), entry.worker != .firstUse { parts.append("worker=\(entry.worker)") }
        return parts.joined(separator: " ")
    }

    /// A key may have a # in it, though not as its first character: a comment begins where a word does.
    private static func fields(_ line: Substring) -> (words: [Substring], comment: String?) {
        var words = line.split(whereSeparator: \.isWhitespace)
        guard let start = words.firstIndex(where: { $0.hasPrefix("#") }) else { return (words, nil) }
        let comment = String(line[words[start].startIndex...])
        words.removeSubrange(start...)
        return (words, comment)
    }

    /// nil: a line that says nothing.
    private static func entry(_ line: Substring) throws(AllowListError) -> KeyEntry? {
        guard line.unicodeScalars.allSatisfy({ $0.isPrintable || $0 == "\t" }) else {
            throw AllowListError("there are control characters in it")
        }
        let words = fields(line).words
        guard let first = words.first else { return nil }
        let known = KeyRole.allCases.map(\.rawValue).joined(separator: ", ")
        var roles: Set<KeyRole> = []
        for name in first.split(separator: ",", omittingEmptySubsequences: false) {
            guard let role = KeyRole(rawValue: String(name)) else {
                throw AllowListError(
                    "\(String(name.prefix(40))) is no role (\(known)); the key stands behind its roles")
            }
            roles.insert(role)
        }
        guard words.count > 1 else { throw AllowListError("behind the roles comes the public key") }
        var entry = KeyEntry(key: try key(words[1]), roles: roles)
        var given: Set<Substring> = []
        for word in words.dropFirst(2) {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[1].isEmpty, ["name", "worker"].contains(parts[0]) else {
                throw AllowListError(
                    "\(String(word.prefix(40))) is neither name=… nor worker=…; a comment begins with #")
            }
            guard given.insert(parts[0]).inserted else { throw AllowListError("\(parts[0])= is there twice") }
            let value = String(parts[1])
            if let objection = KeyEntry.objection(toName: value) { throw AllowListError(objection) }
            if parts[0] == "name" {
                entry.name = value
            } else if roles.contains(.worker) {
                entry.worker = WorkerBinding(value)
            } else {
                throw AllowListError("worker= belongs to the role worker")
            }
        }
        return entry
    }

    private static func key(_ word: Substring) throws(AllowListError) -> CurvePublicKey {
        do throws(ZeroMQError) {
            return try CurvePublicKey(String(word))
        } catch {
            throw AllowListError(error.description)
        }
    }
}
