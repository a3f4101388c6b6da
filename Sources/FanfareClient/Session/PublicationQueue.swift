import BrokerCore
import NIOCore

/// Publications until they are acknowledged, in their order. Lives on the event loop.
struct PublicationQueue {
    /// The publications of one call, and what became of them.
    final class Ticket {
        private var missing: Int
        private var outcomes: [PublicationOutcome]
        private let done: EventLoopPromise<[PublicationOutcome]>

        init(count: Int, done: EventLoopPromise<[PublicationOutcome]>) {
            missing = count
            outcomes = Array(repeating: .success(PublicationReceipt()), count: count)
            self.done = done
        }

        func settle(_ index: Int, _ outcome: PublicationOutcome) {
            outcomes[index] = outcome
            missing -= 1
            if missing == 0 { done.succeed(outcomes) }
        }
    }
    private struct Entry {
        let publication: Publication
        let ticket: Ticket
        let index: Int
        var isSettled = false
        /// When it was sent over this connection.
        var sentAt = NIODeadline.distantPast
    }
    private static let batchBytes = 64 * 1024

    private var entries = CircularBuffer<Entry>()
    /// The number of the first entry; its id unless it has one of its own.
    private var firstNumber = 0
    /// How many of the first entries have been sent over this connection.
    private var sentCount = 0
    private var ownIDs: [String: [Int]] = [:]
    /// When the broker has answered one last.
    private var answeredAt = NIODeadline.distantPast

    mutating func append(_ publications: [Publication], ticket: Ticket) {
        for (index, publication) in publications.enumerated() {
            if let id = publication.id { ownIDs[id, default: []].append(firstNumber + entries.count) }
            entries.append(Entry(publication: publication, ticket: ticket, index: index))
        }
    }

    /// Whether all are answered.
    var isEmpty: Bool { entries.isEmpty }

    /// Since when an answer is missing: while others come, those that were sent behind them are on their way.
    var unansweredSince: NIODeadline? { sentCount > 0 ? entries.first.map { max($0.sentAt, answeredAt) } : nil }

    /// All are sent again over the next connection.
    mutating func loseConnection() { sentCount = 0 }

    /// The next batch to send, if there is one and the window has room for it.
    mutating func nextBatch(window: Int, clientID: String, now: NIODeadline) -> [UInt8]? {
        // Small batches cost more than they bring: wait until a good part of the window is free.
        let limit = min(entries.count, window)
        guard sentCount < limit, limit - sentCount >= min(entries.count - sentCount, window / 4) else { return nil }
        var batch: [UInt8] = []
        while sentCount < limit, batch.count < Self.batchBytes {
            let index = entries.index(entries.startIndex, offsetBy: sentCount)
            entries[index].sentAt = now
            if !entries[index].isSettled {
                batch.append(UInt8(ascii: batch.isEmpty ? "[" : ","))
                Self.append(
                    entries[index].publication, number: firstNumber + sentCount, clientID: clientID, to: &batch)
            }
            sentCount += 1
        }
        guard !batch.isEmpty else { return nil }
        batch.append(UInt8(ascii: "]"))
        return batch
    }

    private static func append(
        _ publication: Publication, number: Int, clientID: String, to batch: inout [UInt8]
    ) {
        batch += #"{"channel":"#.utf8
        batch.append(jsonString: publication.channel)
        batch += #","clientId":"#.utf8
        batch.append(jsonString: clientID)
        batch += #","data":"#.utf8
        batch += publication.data
        if publication.retain || publication.timeToLive != nil || publication.wantsReceipt {
            batch += #","ext":{"#.utf8
            if publication.retain { batch += #""retain":true,"#.utf8 }
            if publication.wantsReceipt { batch += #""receipt":true,"#.utf8 }
            if let seconds = publication.timeToLive { batch += #""ttl":\#(seconds),"#.utf8 }
            batch[batch.count - 1] = UInt8(ascii: "}")
        }
        batch += #","id":"#.utf8
        if let id = publication.id {
            batch.append(jsonString: id)
        } else {
            batch += #""p"#.utf8
            batch.append(jsonInteger: Int64(number))
            batch.append(UInt8(ascii: "\""))
        }
        batch.append(UInt8(ascii: "}"))
    }

    /// The broker has answered a publication.
    mutating func settle(id: JSONSlice, of text: RawSpan, _ outcome: PublicationOutcome, now: NIODeadline) {
        guard let number = number(of: id, text: text) else { return }
        let offset = number - firstNumber
        guard offset >= 0, offset < entries.count else { return }
        let index = entries.index(entries.startIndex, offsetBy: offset)
        guard !entries[index].isSettled else { return }
        answeredAt = now
        settle(index, outcome)
        removeSettled()
    }

    private mutating func settle(_ index: CircularBuffer<Entry>.Index, _ outcome: PublicationOutcome) {
        entries[index].isSettled = true
        entries[index].ticket.settle(entries[index].index, outcome)
    }

    private mutating func removeSettled() {
        while let first = entries.first, first.isSettled {
            entries.removeFirst()
            firstNumber += 1
            sentCount = max(sentCount - 1, 0)
        }
    }

    private mutating func number(of id: JSONSlice, text: RawSpan) -> Int? {
        if !ownIDs.isEmpty, let own = id.string(in: text), var numbers = ownIDs[own] {
            let number = numbers.removeFirst()
            ownIDs[own] = numbers.isEmpty ? nil : numbers
            return number
        }
        guard id.kind == .string, id.count > 3 else { return nil }
        return text.extracting(id.range).withUnsafeBytes { bytes in
            guard bytes[1] == UInt8(ascii: "p") else { return nil }
            var number = 0
            for byte in bytes[2..<(bytes.count - 1)] {
                guard let digit = byte.decimalDigit, number < 1 << 50 else { return nil }
                number = number * 10 + Int(digit)
            }
            return number
        }
    }

    /// Those fail, and are not sent again, that were sent until `limit` and are not answered, unless others were since.
    mutating func giveUp(sentUpTo limit: NIODeadline, _ error: (Publication) -> ClientError) {
        guard answeredAt <= limit else { return }
        for offset in 0..<sentCount {
            let index = entries.index(entries.startIndex, offsetBy: offset)
            // They were sent in their order.
            guard entries[index].sentAt <= limit else { break }
            if entries[index].isSettled { continue }
            let publication = entries[index].publication
            if let id = publication.id { forget(id, number: firstNumber + offset) }
            settle(index, .failure(error(publication)))
        }
        removeSettled()
    }

    /// An answer under that id is taken for that of another publication from now on.
    private mutating func forget(_ id: String, number: Int) {
        let rest = (ownIDs[id] ?? []).filter { $0 != number }
        ownIDs[id] = rest.isEmpty ? nil : rest
    }

    /// Nothing will be sent any more.
    mutating func fail(_ error: ClientError) {
        let rest = entries
        entries.removeAll()
        ownIDs = [:]
        for entry in rest where !entry.isSettled { entry.ticket.settle(entry.index, .failure(error)) }
    }
}
