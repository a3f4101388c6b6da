import NIOCore
import Testing

@testable import BrokerFront

/// The buffer that connections of one event loop share.
@Suite("What connections read into")
struct ReadBufferTests {
    @Test("What was given back is lent again, empty")
    func again() {
        let shared = ReadBuffer()
        var first = shared.lend(ByteBufferAllocator())
        #expect(first.writableBytes == ReadBuffer.capacity)
        first.writeString("one")
        let place = first.storage
        shared.giveBack(first)
        first = ByteBuffer()
        let second = shared.lend(ByteBufferAllocator())
        #expect(second.storage == place)
        #expect(second.readableBytes == 0)
        #expect(second.writableBytes == ReadBuffer.capacity)
    }

    @Test("What somebody holds on to stays as it is")
    func held() {
        let shared = ReadBuffer()
        var first = shared.lend(ByteBufferAllocator())
        first.writeString("one")
        shared.giveBack(first)
        var second = shared.lend(ByteBufferAllocator())
        #expect(second.storage != first.storage)
        second.writeString("two")
        #expect(String(buffer: first) == "one")
    }

    @Test("The first buffer of a channel, which it keeps, and those of others are not taken for it")
    func foreign() {
        let shared = ReadBuffer()
        shared.giveBack(ByteBuffer(repeating: 0, count: 16))
        #expect(shared.lend(ByteBufferAllocator()).writableBytes == ReadBuffer.capacity)
    }
}

extension ByteBuffer {
    /// Where its bytes are.
    fileprivate var storage: UnsafeRawPointer? { withVeryUnsafeBytes { $0.baseAddress } }
}
