import NIOCore
import NIOEmbedded
import Testing

@testable import Gateway

@Suite("Clients that do not read")
struct StalledWriteTests {
    private func connection() throws -> EmbeddedChannel {
        let channel = EmbeddedChannel(handler: StalledWriteHandler(limit: .seconds(60)))
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        return channel
    }

    /// Stays in the channel until it is flushed.
    @discardableResult
    private func write(_ channel: EmbeddedChannel) -> EventLoopPromise<Void> {
        let promise = channel.eventLoop.makePromise(of: Void.self)
        channel.write(ByteBuffer(string: "some"), promise: promise)
        return promise
    }

    private func pass(_ seconds: Int64, _ channel: EmbeddedChannel) {
        channel.embeddedEventLoop.advanceTime(by: .seconds(seconds))
    }

    @Test func `One that takes nothing for the whole limit is closed`() throws {
        let channel = try connection()
        let written = write(channel)
        pass(59, channel)
        #expect(channel.isActive)
        pass(1, channel)
        #expect(!channel.isActive)
        written.fail(ChannelError.eof)
    }

    @Test func `One that takes something now and then, or has nothing to take, is not`() throws {
        let channel = try connection()
        for _ in 0..<5 {
            write(channel)
            pass(50, channel)
            channel.flush()
            write(channel)
            pass(50, channel)
            channel.flush()
            #expect(channel.isActive)
        }
        pass(1000, channel)
        #expect(channel.isActive)
        // After a long silence it has as long as the first time.
        let written = write(channel)
        pass(59, channel)
        #expect(channel.isActive)
        pass(1, channel)
        #expect(!channel.isActive)
        written.fail(ChannelError.eof)
    }
}
