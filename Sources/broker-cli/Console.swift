import Foundation
import NIOPosix

/// Standard input, output and error.
enum Console {
    /// Whether a person looks at standard error, or at standard output.
    static let errorIsTerminal = isatty(STDERR_FILENO) == 1
    static let outputIsTerminal = isatty(STDOUT_FILENO) == 1

    /// Says something to the person, on standard error.
    static func say(_ text: String) {
        sayRaw((errorIsTerminal ? "\r\u{1B}[K" : "") + "broker-cli: \(text)\n")
    }

    /// Shows how far it is, if standard error is a terminal; the next line takes its place.
    static func showProgress(_ text: String) {
        if errorIsTerminal { sayRaw("\r\u{1B}[K\(text)") }
    }

    private static func sayRaw(_ text: String) {
        FileHandle.standardError.write(Data(text.utf8))
    }

    /// Writes all bytes to standard output, at once.
    static func write(_ bytes: [UInt8]) throws(CLIError) {
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes {
                Foundation.write(STDOUT_FILENO, $0.baseAddress.map { $0 + offset }, bytes.count - offset)
            }
            if count > 0 {
                offset += count
            } else if errno == EPIPE {
                throw .brokenPipe
            } else if errno != EINTR {
                throw .inputOutput("standard output: \(String(cString: strerror(errno)))")
            }
        }
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

    /// Reads what is there of standard input, waiting until there is something; empty at its end.
    static func read() async throws -> [UInt8] {
        try await NIOThreadPool.singleton.runIfActive {
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

/// Turns SIGINT and SIGTERM into the end of a command's work; the second one ends the program at once.
final class StopSignals {
    private let sources: [any DispatchSourceSignal]

    /// `stop` is called with the first signal, on some thread.
    init(_ stop: @escaping @Sendable (Int32) -> Void) {
        let count = Counter()
        sources = [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                guard count.next() == 1 else { _exit(128 + number) }
                stop(number)
            }
            source.resume()
            return source
        }
    }
}
