import Foundation
import Messages
import ZeroMQ

/// The text of a list of keys: `ROLE[,ROLE…] PUBLIC-KEY [name=NAME] [worker=ID|NAME|any|first] [# comment]`, one key a line.
///
/// Empty lines and lines that begin with `#` say nothing. What a person wrote stays byte for byte where nothing of it changes. A
/// line ends where every other tool ends it, at LF: what else looks like an end to some of them (CR, U+2028, …) would hide a key in
/// a comment, and is an error.
package struct AllowListText: Sendable {
    package static let largest = 1 << 20
    package static let mostKeys = 4096

    private struct Line: Sendable {
        /// nil: it says nothing.
        var entry: KeyEntry?
        var text: String
        /// LF, with a CR before it or without; empty: the file ends here.
        var ending = "\n"
    }

    private var lines: [Line]
    /// A byte order mark, as some editors put it there.
    private var mark = ""

    /// A new list, which says how it is written.
    package init() {
        let heading = """
            # Keys that may connect to this coordinator, one a line: ROLE[,ROLE…] PUBLIC-KEY [name=NAME] [worker=ID|NAME|any|first]
            # Roles: worker, query, data, forget, audit, admin, gateway. The coordinator reads it again at SIGHUP.
            """
        lines = heading.split(separator: "\n").map { Line(text: String($0)) }
    }

    /// - Throws: `AllowListError` for the first line that is none: a list of which a part is not understood is not used.
    package init(parsing bytes: [UInt8]) throws(AllowListError) {
        guard bytes.count <= Self.largest else { throw AllowListError("it is longer than \(Self.largest) bytes") }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw AllowListError("it is no text in UTF-8")
        }
        var scalars = text.unicodeScalars[...]
        if scalars.first == "\u{FEFF}" { mark = String(scalars.removeFirst()) }
        // What was cut off, or never written, is not to be taken for a list that lets nobody in.
        guard scalars.contains(where: { !$0.properties.isWhitespace }) else {
            throw AllowListError("it is empty; a list that lets nobody in has at least a comment")
        }
        lines = []
        var (keys, names): (Set<CurvePublicKey>, Set<String>) = ([], [])
        let pieces = scalars.split(separator: "\n", omittingEmptySubsequences: false)
        for (number, piece) in pieces.enumerated() {
            var line = Line(text: String(Substring(piece)), ending: number == pieces.count - 1 ? "" : "\n")
            if line.ending.isEmpty, line.text.isEmpty { continue }
            if !line.ending.isEmpty, line.text.unicodeScalars.last == "\r" {
                line.text.unicodeScalars.removeLast()
                line.ending = "\r\n"
            }
            do throws(AllowListError) {
                line.entry = try Self.entry(line.text[...])
                lines.append(line)
                guard let entry = line.entry else { continue }
                guard keys.insert(entry.key).inserted else { throw AllowListError("the key is on the list already") }
                if let name = entry.name, !names.insert(name).inserted {
                    throw AllowListError("the name \(name) is another key's already")
                }
                guard keys.count <= Self.mostKeys else {
                    throw AllowListError("there are more than \(Self.mostKeys) keys")
                }
            } catch {
                throw AllowListError(line: number + 1, error.reason)
            }
        }
    }

    package var entries: [KeyEntry] {
        lines.compactMap(\.entry)
    }

    package var text: String { mark + lines.map { $0.text + $0.ending }.joined() }

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
        if case .named(let name) = entry.worker, let objection = WorkerBinding.objection(toName: name) {
            throw AllowListError(objection)
        }
        guard let position = lines.firstIndex(where: { $0.entry?.key == entry.key }) else {
            guard entries.count < Self.mostKeys else { throw AllowListError("there are \(Self.mostKeys) keys already") }
            let ending = lines.last { !$0.ending.isEmpty }?.ending ?? "\n"
            if let last = lines.indices.last { lines[last].ending = ending }
            lines.append(Line(entry: entry, text: Self.text(entry), ending: ending))
            return
        }
        let comment = Self.fields(lines[position].text[...]).comment
        lines[position].entry = entry
        lines[position].text = ([Self.text(entry)] + [comment].compactMap(\.self)).joined(separator: "  ")
    }

    /// - Returns: whose line is gone; nil: there is none of this key or name.
    package mutating func revoke(_ keyOrName: String) -> KeyEntry? {
        for (position, line) in lines.enumerated() {
            guard let entry = line.entry, entry.key.text == keyOrName || entry.name == keyOrName else { continue }
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
            throw AllowListError(
                "there are control characters in it, or what ends a line for some readers only: a line ends with LF or CR LF"
            )
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
                entry.worker = try WorkerBinding(value)
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
