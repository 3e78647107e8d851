import Files
import Foundation
import Messages
import ZeroMQ

/// What stands in for keys on loopback.
extension CoordinatorProcess {
    /// nil: there are keys, nobody is to be asked for one, or a file of the socket decides who may connect.
    func localKeys() throws -> LocalKeys? {
        guard options.security == nil, !options.opensLoopback, case .tcp = try options.listening().place else {
            return nil
        }
        return try LocalKeys(in: options.dataDirectory)
    }

    /// What a client in this process shows and expects, who needs no note; nil: nobody is asked for a key on loopback.
    package var localClientKeys: (own: CurveKeyPair, server: CurvePublicKey)? {
        guard let keys = try? localKeys() else { return nil }
        return (keys.client, keys.coordinator.publicKey)
    }

    func announceLocally(_ endpoint: String) -> [LiveNote] {
        let place = (try? Endpoint(endpoint, for: .connecting))?.loopbackPlace
        let folder = options.dataDirectory.standardizedFileURL.path
        let notes = place.map { LocalCoordinators().announce(folder, at: $0) } ?? []
        if notes.isEmpty {
            let (own, coordinator) = (LocalCoordinators.clientKey, LocalCoordinators.coordinatorKey)
            logger.warning(
                "this user's other processes are not led to the keys in \(folder): there is no place for a note",
                metadata: ["--keys": "\(own)", "--coordinator-key": "\(coordinator).pub"])
        }
        return notes
    }
}
