import Foundation
import NIOPosix

/// Standard input, output and error.
enum Console {
    /// Whether a person looks at standard error, or at standard output.
    static let errorIsTerminal = isatty(STDERR_FILENO) == 1
    static let outputIsTerminal = isatty(STDOUT_FILENO) == 1
    static let inputIsTerminal = isatty(STDIN_FILENO) == 1
    /// Whether standard output is shown in colours (https://no-color.org).
    static let outputIsColoured =
        outputIsTerminal && (ProcessInfo.processInfo.environment["NO_COLOR"] ?? "").isEmpty
        && ProcessInfo.processInfo.environment["TERM"] != "dumb"

    /// Says something to the person, on standard error.
    static func say(_ text: String) {
        sayRaw((errorIsTerminal ? "\r\u{1B}[K" : "") + "broker-cli: \(harmless(text))\n")
    }

    /// Shows how far it is, if standard error is a terminal; the next line takes its place.
    static func showProgress(_ text: String) {
        if errorIsTerminal { sayRaw("\r\u{1B}[K\(harmless(text))") }
    }

    /// Takes away what was shown last.
    static func clearProgress() { showProgress("") }

    /// What a terminal obeys (CVE-2003-0063 and many since), and what changes the order of that which stands around it.
    private static func isObeyed(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0, 0x202A...0x202E, 0x2066...0x2069: true
        default: false
        }
    }

    /// A text, some of which may be a server's, without what a terminal would obey.
    static func harmless(_ text: String) -> String {
        shown(text) { $0 == "\n" || $0 == "\t" }
    }

    /// The same for what stands beside others on a line.
    static func harmless(onOneLine text: String) -> String {
        shown(text) { _ in false }
    }

    private static func shown(_ text: String, _ isKept: (Unicode.Scalar) -> Bool) -> String {
        let scalars = text.unicodeScalars.map { scalar -> Unicode.Scalar in
            isObeyed(scalar) && !isKept(scalar) ? "\u{FFFD}" : scalar
        }
        return String(String.UnicodeScalarView(scalars))
    }

    /// A JSON document with the same meaning: what a terminal would obey is escaped, for it is part of a string unless it
    /// is white space.
    static func harmless(json: ArraySlice<UInt8>) -> String {
        var text = String.UnicodeScalarView()
        for scalar in String(decoding: json, as: UTF8.self).unicodeScalars {
            if isObeyed(scalar), !["\t", "\n", "\r"].contains(scalar) {
                let digits = String(scalar.value, radix: 16)
                text += "\\u\(String(repeating: "0", count: 4 - digits.count))\(digits)".unicodeScalars
            } else {
                text.append(scalar)
            }
        }
        return String(text)
    }

    /// What cannot be said, because the log's disk is full or nobody reads it, is not.
    private static func sayRaw(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
    }

    /// Writes all bytes to standard output, at once.
    static func write(_ bytes: [UInt8]) throws(CLIError) {
        guard let error = bytes.write(to: STDOUT_FILENO) else { return }
        if error == EPIPE { throw .brokenPipe }
        throw .inputOutput("standard output: \(String(cString: strerror(error)))")
    }

    /// Calls `gone` when nobody reads standard output any more, which a program that writes nothing would not notice.
    static func watchOutput(_ gone: @escaping @Sendable () -> Void) {
        var status = stat()
        guard fstat(STDOUT_FILENO, &status) == 0, status.st_mode & S_IFMT == S_IFIFO else { return }
        Thread.detachNewThread {
            var output = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
            while poll(&output, 1, -1) < 0, errno == EINTR {}
            if output.revents & Int16(POLLERR) != 0 { gone() }
        }
    }

    /// Reads what is there of standard input, waiting until there is something; empty at its end, nil when it
    /// is woken.
    static func read(_ wakeUp: WakeUp) async throws -> [UInt8]? {
        try await NIOThreadPool.singleton.runIfActive {
            var awaited = [STDIN_FILENO, wakeUp.descriptor].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            while poll(&awaited, 2, -1) < 0, errno == EINTR {}
            if awaited[1].revents != 0 { return nil }
            var bytes = [UInt8](repeating: 0, count: 65_536)
            while true {
                let count = bytes.withUnsafeMutableBytes { Foundation.read(STDIN_FILENO, $0.baseAddress, $0.count) }
                if count >= 0 { return Array(bytes.prefix(count)) }
                guard errno == EINTR else {
                    throw CLIError.inputOutput("standard input: \(String(cString: strerror(errno)))")
                }
            }
        }
    }
}
