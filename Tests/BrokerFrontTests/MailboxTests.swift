import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import BrokerFront

/// Messages from any thread to one event loop.
struct MailboxTests {
    private struct Letter: Equatable {
        let sender: Int
        let number: Int
    }

    /// Keeps what arrives.
    private final class Desk: Sendable {
        private let state = Mutex<[[Letter]]>([])

        var batches: [[Letter]] { state.withLock { $0 } }
        func put(_ letters: [Letter]) { state.withLock { $0.append(letters) } }
    }

    @Test
    func eachSendersOrderIsKept() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let desk = Desk()
        let mailbox = Mailbox<Letter>(eventLoop: loop) { letters in
            loop.preconditionInEventLoop()
            desk.put(letters)
        }
        await withTaskGroup { group in
            for sender in 0..<4 {
                group.addTask {
                    for number in stride(from: 0, to: 3_000, by: 3) {
                        mailbox.send((number..<number + 3).map { Letter(sender: sender, number: $0) })
                    }
                }
            }
        }
        // What was sent before this was handed over before it runs.
        try await loop.submit {}.get()
        let letters = desk.batches.flatMap(\.self)
        for sender in 0..<4 {
            #expect(letters.filter { $0.sender == sender }.map(\.number) == Array(0..<3_000))
        }
        #expect(!desk.batches.contains([]))
    }

    @Test
    func lettersThatComeMeanwhileMakeOneBatch() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let desk = Desk()
        let mailbox = Mailbox<Letter>(eventLoop: loop) { desk.put($0) }
        let letters = (0..<10).map { Letter(sender: 0, number: $0) }
        try await loop.submit {
            mailbox.send([])
            for letter in letters { mailbox.send([letter]) }
            #expect(desk.batches.isEmpty, "nothing is handed over while the sender is at work")
        }.get()
        try await loop.submit {}.get()
        #expect(desk.batches == [letters])
    }
}
