import BrokerCore
import Dispatch
import Testing

/// What the store in memory does where it is asked, and what it does elsewhere.
@Suite("The store in memory")
struct MemoryStoreTests {
    @Test("What goes through all that is kept holds up neither who asks for it nor what is published")
    func longReads() throws {
        let channel = try ChannelName("/a", grammar: .cometd, maximumBytes: 100)
        let draft = PublicationDraft(
            channel: channel, data: [0x31], retention: .replace, publishedAt: 0, expiresAt: nil)
        // Not to the same channel, where it would take the place of what is to be read.
        let another = PublicationDraft(
            channel: try ChannelName("/b", grammar: .cometd, maximumBytes: 100), data: [0x31], retention: .replace,
            publishedAt: 0, expiresAt: nil)
        let item = SubscriptionItem(try ChannelPattern("/**", grammar: .cometd, maximumBytes: 100))
        let store = MemoryStore(epoch: "log")
        let hasReturned = DispatchSemaphore(value: 0)
        let isRight = DispatchSemaphore(value: 0)
        _ = try store.open { outcomes in
            for case .backlog(_, let backlog) in outcomes where backlog.entries.count == 1 {
                // An outcome that came from within `submit` would wait for its return in vain.
                if hasReturned.wait(timeout: .now() + 10) == .success { isRight.signal() }
            }
        }
        store.submit([.publish(1, draft)])
        store.submit([.readBacklog(2, BacklogRequest(items: [item], through: 1, limit: 9, wall: 0))])
        store.submit([.publish(3, another)])
        store.submit([.readHistory(4, channel, after: 0, limit: 9, wall: 0)])
        hasReturned.signal()
        #expect(isRight.wait(timeout: .now() + 60) == .success)
        store.close()
    }
}
