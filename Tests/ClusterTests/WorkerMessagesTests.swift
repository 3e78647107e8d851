import Coordination
import Messages
import Service
import Testing

@Suite("Large messages of workers are decoded beside the socket's thread, in their order and within bounds")
struct WorkerMessagesTests {
    private let anna = PeerID([1])
    private let ben = PeerID([2])
    private let large = LargeRequests.threshold + 1

    @Test("What a worker says behind a large message stays behind it, and others' heartbeats do not wait")
    func order() {
        var messages = WorkerMessages()
        #expect(messages.take(bytes: LargeRequests.threshold, inPortions: true, from: anna) == .onSocketThread)
        #expect(messages.take(bytes: large, inPortions: true, from: anna) == .onOwnThread)
        #expect(messages.bytesInPortions == large)
        #expect(messages.take(bytes: 10, inPortions: false, from: anna) == .onOwnThread)
        #expect(messages.take(bytes: 10, inPortions: false, from: ben) == .onSocketThread)
        messages.decoded(bytes: large, inPortions: true, from: anna)
        #expect(messages.bytesInPortions == 0)
        #expect(messages.take(bytes: 10, inPortions: false, from: anna) == .onOwnThread)
        for _ in 0..<2 { messages.decoded(bytes: 10, inPortions: false, from: anna) }
        #expect(messages.take(bytes: 10, inPortions: false, from: anna) == .onSocketThread)
    }

    @Test("Short messages behind a large one are bounded, and the bound is free again once they are decoded")
    func short() {
        var limits = WorkerMessages.Limits()
        limits.shortOfOne = 2 * LargeRequests.leastBytes
        var messages = WorkerMessages(limits)
        for _ in 0..<2 {
            #expect(messages.take(bytes: large, inPortions: true, from: anna) == .onOwnThread)
            for _ in 0..<2 { #expect(messages.take(bytes: 1, inPortions: false, from: anna) == .onOwnThread) }
            #expect(messages.take(bytes: 1, inPortions: false, from: anna) == .tooMuch)
            messages.decoded(bytes: large, inPortions: true, from: anna)
            for _ in 0..<2 { messages.decoded(bytes: 1, inPortions: false, from: anna) }
        }
    }

    @Test("Results in portions behind a large message count with what came in portions, and close no connection")
    func results() {
        var limits = WorkerMessages.Limits()
        limits.shortOfOne = LargeRequests.leastBytes
        var messages = WorkerMessages(limits)
        #expect(messages.take(bytes: large, inPortions: true, from: anna) == .onOwnThread)
        let results = [Int](repeating: 80 << 10, count: 64)
        for bytes in results { #expect(messages.take(bytes: bytes, inPortions: true, from: anna) == .onOwnThread) }
        #expect(messages.bytesInPortions == large + 64 * (80 << 10))
        #expect(messages.take(bytes: 1, inPortions: false, from: anna) == .onOwnThread)
        for bytes in [large] + results { messages.decoded(bytes: bytes, inPortions: true, from: anna) }
        messages.decoded(bytes: 1, inPortions: false, from: anna)
        #expect(messages.bytesInPortions == 0)
        #expect(messages.take(bytes: 80 << 10, inPortions: true, from: anna) == .onSocketThread)
    }

    @Test("What comes whole is bounded: without room it is decoded at once, but never before what came before it")
    func whole() {
        var limits = WorkerMessages.Limits()
        (limits.whole, limits.wholeOfOne) = (3 * large, 2 * large)
        var messages = WorkerMessages(limits)
        for _ in 0..<2 { #expect(messages.take(bytes: large, inPortions: false, from: anna) == .onOwnThread) }
        #expect(messages.take(bytes: large, inPortions: false, from: anna) == .tooMuch)
        #expect(messages.take(bytes: 2 * large, inPortions: false, from: ben) == .onSocketThread)
        #expect(messages.take(bytes: large, inPortions: false, from: ben) == .onOwnThread)
        // Credits bound those in portions, elsewhere.
        #expect(messages.take(bytes: large, inPortions: true, from: ben) == .onOwnThread)
        for _ in 0..<2 { messages.decoded(bytes: large, inPortions: false, from: anna) }
        #expect(messages.take(bytes: 2 * large, inPortions: false, from: anna) == .onOwnThread)
    }
}
