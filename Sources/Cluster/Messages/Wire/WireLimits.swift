/// How much a peer may send. Whatever is above is refused before memory is spent on it.
public enum WireLimits {
    /// First byte of compatibility: peers of another version are refused.
    public static let version: UInt8 = 5
    /// Bytes of one payload frame; larger payloads are split.
    public static let payloadFrame = 1 << 20
    /// Bytes of the largest single frame, for `SocketOptions.maximumFrameSize`.
    public static let frame = payloadFrame
    /// Bytes of one message, all frames together.
    public static let message = 512 << 20
    /// Frames of one message.
    public static let frames = 2048
    /// Payloads of one message: adapters of a mixture and a few more.
    public static let payloads = 256
    /// Bytes of the JSON header: room for a hello with `copies` shards.
    public static let header = frame
    /// Bytes of a client's request: JSON takes several times its size in memory once it is read.
    public static let request = 64 << 20
    /// Bytes of a comparison's case or report.
    public static let comparison = 64 << 20
    /// Nesting of any JSON that a peer sends.
    public static let depth = 32
    /// Bytes of the kind and of the id.
    public static let name = 128
    /// Characters of a text from outside that are kept: names of workers, messages of errors.
    public static let text = 400
    /// Prompts or manifest entries of one message.
    public static let prompts = 1 << 20
    /// Shards a worker may say it holds.
    public static let copies = 4096
}
