import Files
import Foundation
import Unlearning

/// Finished cases of comparisons in a directory, one file each, named by what the case is a function of.
///
/// A file is believed when its name, the digest in it and its checksum agree; everything else is named and left alone, and what
/// it should have held is computed again. Files of other comparisons, data or base models lie side by side: a comparison
/// takes those that its plan names. A report holds counts, means and weights, and no name, title, prompt or id of a prompt.
public struct KeptCases: Sendable {
    /// A file that is not used, and why.
    public struct Refusal: Hashable, Sendable, CustomStringConvertible {
        public var name: String
        public var reason: String

        public var description: String { "\(name): \(reason)" }
    }

    public struct Contents: Sendable {
        /// By digest.
        public var cases: [String: ComparisonReport] = [:]
        /// Sorted by name.
        public var refused: [Refusal] = []
    }

    /// Bytes of a file that is read; reports are far smaller.
    private static let largestFile = 64 << 20
    private static let ending = ".json"

    let directory: String

    /// Makes the directory, which only its owner can read, if there is none.
    public init(_ directory: String) throws {
        self.directory = directory
        guard PrivateFiles.makeDirectory(directory) else { throw FileFailure("cannot make", directory) }
        // Before hours of computing, so that a wrong name shows at once.
        var isDirectory = ObjCBool(false)
        guard FileManager.default.fileExists(atPath: directory, isDirectory: &isDirectory), isDirectory.boolValue
        else { throw FileFailure("cannot use as a directory", directory, code: ENOTDIR) }
    }

    // MARK: reading

    public func contents() throws -> Contents {
        var contents = Contents()
        for name in try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
        where name != ComparisonNote.name && !name.hasSuffix(AtomicFile.temporarySuffix) {
            do {
                let found = try read(name)
                contents.cases[found.digest] = found.report
            } catch {
                contents.refused.append(Refusal(name: name, reason: "\(error)"))
            }
        }
        return contents
    }

    private func read(_ name: String) throws -> FoundCase {
        let digest = String(name.dropLast(Self.ending.count))
        guard name.hasSuffix(Self.ending), PlannedCase.isDigest(digest) else { throw KeptCaseError.foreign }
        guard let bytes = try bytes(of: name) else { throw KeptCaseError.tooLarge }
        guard let file = try? KeptCaseFile.decoder.decode(KeptCaseFile.self, from: Data(bytes)),
            file.format == KeptCaseFile.format
        else { throw KeptCaseError.unreadable }
        guard file.digest == digest else { throw KeptCaseError.misnamed }
        guard file.report.isFinite, file.report.cases.count == 1,
            try KeptCaseFile.checksum(digest: digest, file.report) == file.checksum
        else { throw KeptCaseError.damaged }
        return FoundCase(digest: digest, report: file.report)
    }

    /// nil: it is too large. A link or a pipe is no file of ours.
    private func bytes(of name: String) throws -> [UInt8]? {
        let path = "\(directory)/\(name)"
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        guard attributes[.type] as? FileAttributeType == .typeRegular else { throw KeptCaseError.foreign }
        guard let size = attributes[.size] as? Int, size <= Self.largestFile else { return nil }
        return try AtomicFile.read(path)
    }

    // MARK: writing

    /// Replaces whatever has its name; a process that ends in the middle leaves nothing half written.
    public func keep(_ found: FoundCase) throws {
        guard PlannedCase.isDigest(found.digest) else { throw KeptCaseError.misnamed }
        let file = KeptCaseFile(
            digest: found.digest, checksum: try KeptCaseFile.checksum(digest: found.digest, found.report),
            report: found.report)
        try AtomicFile.write(
            try KeptCaseFile.encoder.encode(file), to: "\(directory)/\(found.digest)\(Self.ending)")
    }

    /// What was last asked for with this directory; nil: nothing, or nobody can read it any more.
    public func note() -> ComparisonNote? {
        guard let bytes = try? bytes(of: ComparisonNote.name),
            let note = try? KeptCaseFile.decoder.decode(ComparisonNote.self, from: Data(bytes)),
            note.plan.allSatisfy({ PlannedCase.isDigest($0.digest) })
        else { return nil }
        return note
    }

    public func write(_ note: ComparisonNote) throws {
        try AtomicFile.write(try KeptCaseFile.encoder.encode(note), to: "\(directory)/\(ComparisonNote.name)")
    }
}

/// What is being compared: lets a client that was stopped find the operation that went on without it, and print what there is
/// without asking. Believed for no more than that: which cases there are the coordinator says anew.
public struct ComparisonNote: Codable, Hashable, Sendable {
    static let name = "under-way.json"

    /// Without kept cases.
    public var options: ComparisonOptions
    /// The coordinator's operation.
    public var operation: String
    /// Empty: not known yet.
    public var plan: [PlannedCase]

    public init(options: ComparisonOptions, operation: String, plan: [PlannedCase]) {
        self.options = options
        self.options.kept = nil
        self.operation = operation
        self.plan = plan
    }
}

/// Why a file in the directory is not used.
enum KeptCaseError: Error, CustomStringConvertible {
    case foreign, tooLarge, unreadable, misnamed, damaged

    var description: String {
        switch self {
        case .foreign: "no case of a comparison"
        case .tooLarge: "too large for a case of a comparison"
        case .unreadable: "cannot be read as a case of a comparison"
        case .misnamed: "its name is that of another case"
        case .damaged: "its report is not what was written"
        }
    }
}

private struct KeptCaseFile: Codable {
    static let format = "lethe comparison case 1"

    var format = Self.format
    var digest: String
    /// SHA-256 over the digest and the report.
    var checksum: String
    var report: ComparisonReport

    init(digest: String, checksum: String, report: ComparisonReport) {
        self.digest = digest
        self.checksum = checksum
        self.report = report
    }

    static var encoder: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return encoder
    }

    static var decoder: JSONDecoder {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return decoder
    }

    /// Numbers survive being written and read, so that the same report has the same bytes.
    static func checksum(digest: String, _ report: ComparisonReport) throws -> String {
        sha256(Array(digest.utf8) + Array(try encoder.encode(report)))
    }
}
