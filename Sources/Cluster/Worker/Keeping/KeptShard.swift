import Files
import Foundation
import Messages
import Unlearning

/// What is known of one shard's files.
struct KeptShard {
    enum Prompts {
        /// No keys came yet, so that nothing but the header is known.
        case sealed(SealedPrompts.Header)
        /// Exactly what the file holds, and the keys that it is sealed with.
        case open(ShardContents, ShardSecrets)
    }

    var prompts: Prompts
    /// Content name of the adapter that lies beside the prompts.
    var adapter: String?
    /// Content name of the adapter that is prepared for.
    var preparation: String?

    /// As far as is known: of what is sealed only what it says of itself.
    func copy(_ shard: Int) -> ShardCopy {
        let (manifest, count) =
            switch prompts {
            case .sealed(let header): (header.manifest, header.prompts)
            case .open(let contents, _): (contents.digest, contents.prompts.count)
            }
        return ShardCopy(shard: shard, manifest: manifest, prompts: count, adapter: adapter, prepared: preparation)
    }

    var contents: ShardContents? {
        if case .open(let contents, _) = prompts { contents } else { nil }
    }

    var secrets: ShardSecrets? {
        if case .open(_, let secrets) = prompts { secrets } else { nil }
    }

    /// Forgets prompts and keys; the files stay what they are.
    mutating func close() {
        guard case .open(let contents, _) = prompts else { return }
        prompts = .sealed(
            SealedPrompts.Header(
                manifest: contents.digest, prompts: contents.prompts.count, people: Set(contents.people).count))
    }
}

/// A shard's directory: `prompts.sealed`, and once it is trained `<content name>.adapter.sealed`, and IFRU's preparation
/// beside it as `<content name of its adapter>.letheif6.preparation.sealed`, after its form; while and after it is trained in slices
/// `<name>.stage.sealed` for each slice but the last; while it is trained `<name>.checkpoint.sealed`.
struct ShardFolder {
    static let adapterSuffix = ".adapter.sealed"
    /// What another release prepared in another form is none to this one.
    static let preparationSuffix = ".\(InfluencePreparation.form.lowercased())\(anyPreparation)"
    private static let anyPreparation = ".preparation.sealed"
    static let stageSuffix = ".stage.sealed"
    static let checkpointSuffix = ".checkpoint.sealed"
    /// What releases wrote that kept shards in clear.
    private static let older = ["prompts.jsonl", "adapter.json", "adapter.safetensors"]

    let path: String

    var prompts: String { "\(path)/\(SealedPrompts.name)" }
    func adapter(_ name: String) -> String { "\(path)/\(name)\(Self.adapterSuffix)" }
    func stage(_ name: String, isCheckpoint: Bool = false) -> String {
        "\(path)/\(name)\(isCheckpoint ? Self.checkpointSuffix : Self.stageSuffix)"
    }
    func preparation(of adapter: String) -> String { "\(path)/\(adapter)\(Self.preparationSuffix)" }

    /// Sorted.
    var names: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
    }

    /// Content names of the files with this suffix; nil where a file's name holds none.
    func contentNames(_ suffix: String) -> [String?] {
        names.filter { $0.hasSuffix(suffix) }.map { file in
            let name = String(file.dropLast(suffix.count))
            return Self.isContentName(name) ? name : nil
        }
    }

    /// Deletes the files with this suffix, durably.
    func remove(_ suffix: String) throws(TaskFailure) { try remove { $0.hasSuffix(suffix) } }

    /// Deletes what interrupted writes left, and what other releases kept in clear or in another form, durably. What lies in clear
    /// is overwritten first.
    ///
    /// - Returns: whether there was such data in clear.
    func clear() throws(TaskFailure) -> Bool {
        func isOfAnotherForm(_ name: String) -> Bool {
            name.hasSuffix(Self.anyPreparation) && !name.hasSuffix(Self.preparationSuffix)
        }
        let wasClear = try eraseClear()
        try remove { isOfAnotherForm($0) || $0.hasSuffix(AtomicFile.temporarySuffix) }
        return wasClear
    }

    /// Overwrites and deletes what other releases kept in clear, durably.
    ///
    /// - Returns: whether there was any.
    func eraseClear() throws(TaskFailure) -> Bool {
        let found = names.filter { name in
            Self.older.contains(name) || (name.contains(".preparation") && !name.contains(Self.anyPreparation))
        }
        for name in found { try KeptFile.erase("\(path)/\(name)") }
        if !found.isEmpty { try KeptFile.syncDirectory(path) }
        return !found.isEmpty
    }

    private func remove(where isToGo: (String) -> Bool) throws(TaskFailure) {
        let found = names.filter(isToGo)
        for name in found { try KeptFile.remove("\(path)/\(name)") }
        if !found.isEmpty { try KeptFile.syncDirectory(path) }
    }

    /// A hello says such names: they are short, and file names on every system.
    static func isContentName(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count) && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) }
    }
}
