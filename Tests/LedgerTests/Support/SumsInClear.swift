import ClusterTestSupport
import Foundation
import Messages
import Recommendation
import Testing

@testable import Ledger

/// Sums of prompts as anybody computes them who has the prompts.
extension ManifestDigest {
    init(of prompts: [StoredPrompt]) {
        self.init()
        for prompt in prompts { add(Entry(id: prompt.id, digest: prompt.digest)) }
    }
}

extension Ledger {
    func recordedCentres() throws -> [Float]? { try read { try centres($0)?.dealtTo } }

    /// By the names of the places, of those with prompts.
    func sumsInClear() throws -> [String: ManifestDigest] {
        var prompts = Dictionary(
            uniqueKeysWithValues: try Split.allCases.map { ("split \($0.rawValue)", try self.prompts(split: $0)) })
        prompts["references"] = prompts["split validation"]?.filter(\.isReference)
        for prompt in prompts["split train"] ?? [] {
            if let shard = prompt.shard { prompts["shard \(shard)", default: []].append(prompt) }
        }
        return prompts.filter { !$0.value.isEmpty }.mapValues { ManifestDigest(of: $0) }
    }

    /// Whether everything is called what its prompts come to.
    func isNamedByItsPrompts() throws -> Bool {
        let sums = try sumsInClear()
        func name(_ place: String) -> String { (sums[place] ?? ManifestDigest()).hexadecimal }
        let snapshot = try snapshot()
        let splits = try Split.allCases.allSatisfy {
            try inspect("SELECT digest FROM splits WHERE split = '\($0.rawValue)'") == [name("split \($0.rawValue)")]
        }
        return splits && snapshot.validationDigest == name("references")
            && snapshot.shards.allSatisfy { $0.manifest == name("shard \($0.index)") }
    }
}

extension LedgerFixture {
    var database: URL { directory.appendingPathComponent("ledger.sqlite") }

    /// Closes the ledger and leaves its file as the release before sums and centres were sealed would have left it. Returns what
    /// lies in clear in it.
    func leaveInClear(_ ledger: Ledger) throws -> [Data] {
        let sums = try ledger.sumsInClear()
        let centres = try ledger.recordedCentres().map { Data($0.flatMap { withUnsafeBytes(of: $0) { Array($0) } }) }
        try ledger.close()
        func literal(_ data: Data) -> String { "x'\(data.map { String(format: "%02x", $0) }.joined())'" }
        func sum(_ place: String) -> String { literal((sums[place] ?? ManifestDigest()).bytes) }
        var statements = ["shards", "splits", "reference_prompts"].map {
            "ALTER TABLE \($0) ADD COLUMN summary BLOB NOT NULL DEFAULT x''"
        }
        statements += (0..<shards).map { "UPDATE shards SET summary = \(sum("shard \($0)")) WHERE shard = \($0)" }
        statements += Split.allCases.map {
            "UPDATE splits SET summary = \(sum("split \($0.rawValue)")) WHERE split = '\($0.rawValue)'"
        }
        statements += [
            "UPDATE reference_prompts SET summary = \(sum("references"))",
            "ALTER TABLE reference_prompts DROP COLUMN digest", "ALTER TABLE partition DROP COLUMN slot",
            "ALTER TABLE partition DROP COLUMN key", "DROP TABLE sums",
            "DELETE FROM grdb_migrations WHERE identifier = 'sealed sums'",
        ]
        if let centres { statements.append("UPDATE partition SET centres = \(literal(centres))") }
        try Ledger.tamper(statements.joined(separator: ";\n"), at: database)
        return sums.sorted { $0.key < $1.key }.map(\.value.bytes) + (centres.map { [$0] } ?? [])
    }

    /// Files below the directory that hold a piece of any of the values.
    func files(holding values: [Data]) throws -> [String] {
        let pieces = values.flatMap { value in
            stride(from: 0, to: value.count - 31, by: 512).map { value.dropFirst($0).prefix(32) }
        }
        #expect(pieces.count >= values.count && !pieces.isEmpty)
        var found: [String] = []
        let files = FileManager.default.enumerator(at: directory, includingPropertiesForKeys: nil)
        while let file = files?.nextObject() as? URL {
            guard let bytes = try? Data(contentsOf: file) else { continue }
            if pieces.contains(where: { bytes.range(of: $0) != nil }) { found.append(file.lastPathComponent) }
        }
        return found.sorted()
    }

    /// Whether a key is in the folder.
    func holds(key: Int64, slot: Int) throws -> Bool {
        let slots = try Data(contentsOf: directory.appendingPathComponent("keys/slots"))
        let start = 20_480 + 64 * slot
        guard start + 64 <= slots.count else { return false }
        let number = slots[start..<start + 8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return Int64(bitPattern: number) == key
    }

    /// How many slots hold anything.
    func usedSlots() throws -> Int {
        let slots = [UInt8](try Data(contentsOf: directory.appendingPathComponent("keys/slots")).dropFirst(20_480))
        return stride(from: 0, to: slots.count - 63, by: 64).count { slots[$0..<$0 + 64].contains { $0 != 0 } }
    }

    /// Of a closed ledger: what these slots hold is no key any more.
    func damage(slots numbers: [Int]) throws {
        let file = directory.appendingPathComponent("keys/slots")
        var bytes = try Data(contentsOf: file)
        for slot in numbers { bytes[20_480 + 64 * slot + 20] ^= 1 }
        try bytes.write(to: file)
    }
}
