import Foundation
import Testing
import ZeroMQ

@Suite("Mailboxes")
struct MailboxTests {
    @Test("What many threads post arrives once, in each thread's order")
    func manyPosters() throws {
        let mailbox = try Mailbox<(poster: Int, index: Int)>()
        for poster in 0..<4 {
            Thread { for index in 0..<1000 { mailbox.post((poster, index)) } }.start()
        }
        var received = [[Int]](repeating: [], count: 4)
        let poller = Poller([.descriptor(mailbox.descriptor)])
        while received.joined().count < 4000 {
            try #require(try poller.wait(timeout: .seconds(30)) == [true])
            for (poster, index) in mailbox.drain() { received[poster].append(index) }
        }
        #expect(received.allSatisfy { $0 == Array(0..<1000) })
        #expect(try poller.wait(timeout: .zero) == [false])
    }

    @Test("Taking waits for a post, and gives up after the timeout")
    func take() throws {
        let mailbox = try Mailbox<Int>()
        #expect(mailbox.take(timeout: .milliseconds(5)).isEmpty)
        Thread {
            usleep(10_000)
            mailbox.post(3)
        }.start()
        #expect(mailbox.take(timeout: .seconds(30)) == [3])
    }

    @Test("A wake-up stays until it is reset")
    func wakeUp() throws {
        let wakeUp = try WakeUp()
        let poller = Poller([.descriptor(wakeUp.descriptor)])
        #expect(try poller.wait(timeout: .zero) == [false])
        wakeUp.signal()
        wakeUp.signal()
        #expect(try poller.wait(timeout: .zero) == [true])
        wakeUp.reset()
        #expect(try poller.wait(timeout: .zero) == [false])
    }
}
