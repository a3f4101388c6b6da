import ArgumentParser
import BrokerCore
import FanfareClient
import Foundation

/// Publications on disk until the broker has them: a folder of segments, sent in the order of their numbers.
///
/// A segment is a file of records, one on a line; beside it lies how many of them the broker has taken. A record has a
/// key of its own, which goes out as `Idempotency-Key`: what is sent twice is taken once, within the broker's window.
final class Spool {
    let files: SpoolFolder
    private let writing: FileLock
    private let limit: Int
    private var lastNumber: Int
    /// What lies in the folder at most.
    private var bytes: Int

    /// Opens the folder; `isMade` makes it if need be. Writers wait for each other. `limit` is in bytes.
    init(_ folder: String, limit: Int = .max, isMade: Bool = true) throws(CLIError) {
        files = SpoolFolder(folder: folder)
        self.limit = limit
        if isMade {
            do {
                try FileManager.default.createDirectory(
                    atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            } catch {
                throw .cannotCreate("\(folder): the folder cannot be made")
            }
        } else {
            _ = try files.segments()
        }
        writing = try FileLock(folder + "/lock", waits: true, inUse: "")
        lastNumber = try files.segments().last.flatMap { Int($0.prefix { $0 != "." }) } ?? 0
        bytes = try files.byteCount()
    }

    /// Keeps publications; they are synced when it returns. False when there is no room for them.
    func append(_ publications: [Publication]) throws(CLIError) -> Bool {
        guard !publications.isEmpty else { return true }
        var text: [UInt8] = []
        for publication in publications {
            text += #"{"key":"\#(UUID().uuidString.lowercased())","channel":"#.utf8
            text.append(jsonString: publication.channel)
            if publication.retain { text += #","retain":true"#.utf8 }
            if let ttl = publication.timeToLive { text += #","ttl":\#(ttl)"#.utf8 }
            text += #","data":"#.utf8
            text += publication.data.map { $0 == 10 || $0 == 13 ? 32 : $0 }
            text += "}\n".utf8
        }
        // What was sent meanwhile makes room.
        if bytes + text.count > limit { bytes = try files.byteCount() }
        guard bytes + text.count <= limit else { return false }
        lastNumber += 1
        bytes += text.count
        let digits = String(lastNumber)
        let name = String(repeating: "0", count: max(0, 16 - digits.count)) + digits
        // A segment of that name may have been sent by a process that ended before it took this away.
        unlink(files.donePath("\(name).segment"))
        try DurableFile.write(text, to: "\(files.folder)/\(name).segment")
        return true
    }
}

/// The files of a spool.
struct SpoolFolder: Sendable {
    let folder: String

    /// The bytes of the segments.
    func byteCount() throws(CLIError) -> Int {
        var sum = 0
        for name in try segments() {
            var status = stat()
            if stat("\(folder)/\(name)", &status) == 0 { sum += Int(status.st_size) }
        }
        return sum
    }

    func segments() throws(CLIError) -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".segment") }
                .sorted()
        } catch {
            throw .inputOutput("\(folder): the folder cannot be read")
        }
    }

    /// How many publications wait.
    func waitingCount() throws(CLIError) -> Int {
        var count = 0
        for name in try segments() {
            let (records, doneCount) = try read(name)
            count += records.count - doneCount
        }
        return count
    }

    private func read(_ name: String) throws(CLIError) -> (records: [[UInt8]], doneCount: Int) {
        guard let data = FileManager.default.contents(atPath: "\(folder)/\(name)") else {
            throw .inputOutput("\(folder)/\(name): the file cannot be read")
        }
        let records = data.split(separator: 10).map { Array($0) }
        let done = FileManager.default.contents(atPath: donePath(name)).flatMap { String(data: $0, encoding: .utf8) }
        return (records, min(done.flatMap { Int($0) } ?? 0, records.count))
    }

    /// Where it stands how many of a segment's records the broker has taken.
    fileprivate func donePath(_ name: String) -> String { "\(folder)/\(name.dropLast(".segment".count)).done" }

    /// Sends what waits, the oldest first. What the broker refuses for good is put aside into the folder `refused`;
    /// `refusal` is told. Throws when the broker cannot be reached, cannot take it now, or does not know the caller, and
    /// when what answers is no broker: then the rest is kept.
    func send(over http: HTTPConnection, refusal: (CLIError) -> Void, progress: () -> Void) async throws {
        for name in try segments() {
            let (records, doneCount) = try read(name)
            let done = open(donePath(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
            defer { if done >= 0 { close(done) } }
            for (index, record) in records.enumerated().dropFirst(doneCount) {
                if let error = try await send(record, over: http) {
                    try putAside(record)
                    refusal(error)
                }
                progress()
                // Not synced: what is sent once more is known by its key.
                let digits = String(index + 1)
                _ = digits.withCString { pwrite(done, $0, digits.utf8.count, 0) }
            }
            // The segment first: without it, what is done means nothing.
            unlink("\(folder)/\(name)")
            unlink(donePath(name))
        }
        DurableFile.syncFolder(of: folder + "/")
    }

    /// Nil when the broker has taken it, or why it never will.
    private func send(_ record: [UInt8], over http: HTTPConnection) async throws -> CLIError? {
        let text = JSONText(record)
        guard let key = text.member("key"), let channel = text.member("channel"), let data = text.raw("data") else {
            return .data("\(folder): a record is damaged")
        }
        var headers = [("Idempotency-Key", key), ("Content-Type", "application/json")]
        if text.isTrue("retain") { headers.append(("Retain", "true")) }
        if let ttl = text.double("ttl") { headers.append(("TTL", "\(ttl)")) }
        let answer = try await http.send("POST", HTTPConnection.path(of: channel), headers: headers, body: data)
        return try answer.refusal()
    }

    private func putAside(_ record: [UInt8]) throws(CLIError) {
        let path = folder + "/refused"
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let key = JSONText(record).member("key") ?? UUID().uuidString
        try DurableFile.write(record + [10], to: "\(path)/\(key).json")
    }
}

extension HTTPConnection.Answer {
    /// What the broker says of a publication: nil when it has taken it, or why it never will. Throws what is no word on
    /// the one publication: a token that is not good any more, a broker that cannot take it now, or no broker at all, but
    /// a proxy, the login page of a network, another server behind the name.
    func refusal() throws(CLIError) -> CLIError? {
        switch status {
        case 200 where isReceipt: return nil
        // Too much is too much, whoever on the way says so.
        case 413: return CLIError(self, "refused")
        case 400 where isProblem, 403 where isProblem, 422 where isProblem: return CLIError(self, "refused")
        case 401, 403, 429, 500...: throw CLIError(self, "refused")
        default:
            let detail = JSONText(body).member("detail").map { ": \($0)" } ?? ""
            throw .unreachable("what answers is no broker: status \(status), and no receipt\(detail)")
        }
    }

    private var isReceipt: Bool {
        let text = JSONText(body)
        return text.member("id") != nil && text.member("channel") != nil && text.raw("seq") != nil
            && text.integer("matched") != nil
    }

    /// Whether it is a broker that refuses: it says why (RFC 9457).
    private var isProblem: Bool {
        let text = JSONText(body)
        return text.member("title") != nil && text.member("detail") != nil && text.integer("status") == Int64(status)
    }
}
