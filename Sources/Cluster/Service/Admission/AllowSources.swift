import Files
import Foundation
import Messages
import ZeroMQ

/// Where a coordinator reads who may connect: at its start, and again at SIGHUP.
package struct AllowSources: Sendable {
    /// Public key files and folders of them. Their keys may do what every key could before there were roles: whatever clients
    /// ask for, and be however many workers.
    package var allow: [String]
    /// The same of gateways that answer questions themselves.
    package var gateways: [String]
    /// The path of a list (`AllowListText`); what it says of a key counts, wherever else the key is named.
    package var list: String?

    package init(allow: [String] = [], gateways: [String] = [], list: String? = nil) {
        self.allow = allow
        self.gateways = gateways
        self.list = list
    }

    package var isEmpty: Bool { allow.isEmpty && gateways.isEmpty && list == nil }

    /// - Throws: `AllowListError`, or `ZeroMQError.invalidKey` of a file that holds no key.
    package func read() throws -> AllowList {
        var list = AllowList(try self.list.map { try Self.text(of: $0).entries } ?? [])
        // A gateway's key that is among the others too is a gateway's.
        let (front, others) = (try Self.keys(in: gateways), try Self.keys(in: allow))
        for (key, name) in front {
            list.add(KeyEntry(key: key, roles: [.admin, .worker, .gateway], name: name, worker: .any))
        }
        for (key, name) in others { list.add(KeyEntry(key: key, roles: [.admin, .worker], name: name, worker: .any)) }
        return list
    }

    /// - Throws: `AllowListError`.
    package static func text(of path: String) throws(AllowListError) -> AllowListText {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw AllowListError(path: path, "it cannot be read: \(String(cString: strerror(errno)))")
        }
        guard status.st_mode & S_IFMT == S_IFREG else { throw AllowListError(path: path, "it is no file") }
        guard status.st_mode & 0o022 == 0 else {
            throw AllowListError(path: path, "others may change it; end that with: chmod go-w \(path)")
        }
        guard status.st_size <= AllowListText.largest else {
            throw AllowListError(path: path, "it is longer than \(AllowListText.largest) bytes")
        }
        do {
            return try AllowListText(parsing: try AtomicFile.read(path))
        } catch let error as FileFailure {
            throw AllowListError(path: path, error.description)
        } catch let error as AllowListError {
            throw AllowListError(path: path, line: error.line, error.reason)
        } catch {
            throw AllowListError(path: path, "\(error)")
        }
    }

    /// Every public key in the given files and folders, with the name of its file without `.pub`; in the order of the names.
    private static func keys(in paths: [String]) throws -> [(key: CurvePublicKey, name: String)] {
        var keys: [(key: CurvePublicKey, name: String)] = []
        for path in paths {
            var isDirectory: ObjCBool = false
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
                throw AllowListError("--allow, --allow-gateway: there is no \(path)")
            }
            let files =
                isDirectory.boolValue
                ? try FileManager.default.contentsOfDirectory(atPath: path).filter { $0.hasSuffix(".pub") }.sorted()
                    .map { "\(path)/\($0)" }
                : [path]
            for file in files {
                let name = URL(fileURLWithPath: file).lastPathComponent
                keys.append(
                    (try CurvePublicKey(contentsOf: file), name.hasSuffix(".pub") ? String(name.dropLast(4)) : name))
            }
        }
        return keys
    }
}
