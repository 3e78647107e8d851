import Files
import Messages
import Unlearning

extension TrainingStage {
    /// What another worker handed on, once it is known to be what it is said to be.
    ///
    /// - Throws: with the code `stage-differs`.
    init(_ handed: HandedStage) throws(TaskFailure) {
        guard sha256(handed.bytes) == handed.digest else {
            throw TaskFailure(code: .stageDiffers, message: "the stage that was handed on is not the one on record")
        }
        do {
            try self.init(bytes: handed.bytes)
        } catch {
            throw TaskFailure(code: .stageDiffers, message: "the stage that was handed on is none: \(error)")
        }
        guard name == handed.name, !isCheckpoint else {
            throw TaskFailure(code: .stageDiffers, message: "the stage that was handed on is another one")
        }
    }

    /// For another worker.
    func handed() throws -> HandedStage {
        let bytes = try bytes()
        return HandedStage(name: name, digest: sha256(bytes), bytes: bytes)
    }
}
