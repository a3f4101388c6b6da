import BrokerCore
import Foundation

/// Where the documents to publish come from: the argument itself, a file, or standard input.
enum Documents {
    /// One document.
    case one([UInt8], name: String)
    /// Standard input, a document on each line.
    case lines

    /// `-`, `@file`, or the document itself.
    init(argument: String?) throws(CLIError) {
        guard let argument, argument != "-" else {
            self = .lines
            return
        }
        if argument.hasPrefix("@") {
            let path = String(argument.dropFirst())
            guard let data = FileManager.default.contents(atPath: path) else {
                throw .inputOutput("\(path): the file cannot be read")
            }
            self = .one(Array(data), name: path)
        } else {
            self = .one(Array(argument.utf8), name: "the document")
        }
    }

    /// A document as JSON: as it is, after a look at it, or as a string of its characters.
    static func json(_ bytes: ArraySlice<UInt8>, name: String, isRaw: Bool) throws(CLIError) -> [UInt8] {
        guard isRaw else {
            try CLIError.checkJSON(bytes, name: name)
            return Array(bytes)
        }
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw .data("\(name): not UTF-8, which a JSON string has to be")
        }
        var json: [UInt8] = []
        json.append(jsonString: bytes.span.bytes)
        return json
    }
}

/// Cuts standard input into lines.
struct LineReader {
    private let wakeUp: WakeUp
    private var rest: [UInt8] = []
    private var hasEnded = false
    private(set) var lineNumber = 0

    /// What wakes `wakeUp` ends the input.
    init(_ wakeUp: WakeUp) { self.wakeUp = wakeUp }

    /// The next lines that are there, at least one; nil at the end. Line ends are not part of them.
    mutating func next() async throws -> [(number: Int, bytes: ArraySlice<UInt8>)]? {
        while !hasEnded {
            guard let chunk = try await Console.read(wakeUp) else {
                // The line that is being written is none yet.
                hasEnded = true
                return nil
            }
            hasEnded = chunk.isEmpty
            rest += chunk
            if hasEnded, !rest.isEmpty { rest.append(UInt8(ascii: "\n")) }
            guard let end = rest.lastIndex(of: UInt8(ascii: "\n")) else { continue }
            let complete = rest[...end]
            rest = Array(rest[(end + 1)...])
            return complete.dropLast().split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map {
                lineNumber += 1
                return (lineNumber, $0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0)
            }
        }
        return nil
    }
}

extension ArraySlice<UInt8> {
    /// Whether it is blanks and tabs only.
    var isBlank: Bool { allSatisfy { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") } }
}

extension CLIError {
    /// As deep as a document may be within a message and a batch, whose brackets a broker counts as well. It does not
    /// answer what is deeper, and no reader would take it.
    private static let documentLimits = EnvelopeLimits(maximumDepth: EnvelopeLimits().maximumDepth - 2)

    /// Checks that the bytes are one JSON document.
    static func checkJSON(_ bytes: ArraySlice<UInt8>, name: String) throws(CLIError) {
        do {
            _ = try EnvelopeScanner(limits: documentLimits).scanValue(validatingUTF8: bytes.span.bytes)
        } catch {
            throw data("\(name): \(error)")
        }
    }

    /// Checks a channel, or what may be subscribed to, before the broker has to.
    static func checkChannel(_ text: String, mayBePattern: Bool) throws(CLIError) {
        // The wider alphabet: which one the broker uses is its own affair.
        guard let error = channelError(text, mayBePattern: mayBePattern, grammar: .cometd) else { return }
        throw data("\(text) is no channel: \(error)\(mark(error, in: text))")
    }

    static func channelError(_ text: String, mayBePattern: Bool, grammar: ChannelGrammar) -> ChannelError? {
        do throws(ChannelError) {
            if mayBePattern {
                _ = try ChannelPattern(text, grammar: grammar, maximumBytes: .max)
            } else {
                _ = try ChannelName(text, grammar: grammar, maximumBytes: .max)
            }
            return nil
        } catch {
            return error
        }
    }

    /// Two more lines: the channel, and a mark below the place that is wrong.
    static func mark(_ error: ChannelError, in text: String) -> String {
        guard let offset = error.offset, text.allSatisfy({ $0.isASCII ? $0 >= " " : $0.isLetter }) else { return "" }
        let column = String(decoding: text.utf8.prefix(offset), as: UTF8.self).count
        return "\n  \(text)\n  \(String(repeating: " ", count: column))^"
    }
}
