import Foundation
import NIOPosix

/// Standard input, output and error.
enum Console {
    /// Says something to the person, on standard error.
    static func say(_ text: String) {
        FileHandle.standardError.write(Data("broker-cli: \(text)\n".utf8))
    }

    /// Writes all bytes to standard output, at once.
    static func write(_ bytes: [UInt8]) throws(CLIError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Foundation.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count > 0 {
                rest.removeFirst(count)
            } else if errno == EPIPE {
                throw .brokenPipe
            } else if errno != EINTR {
                throw .inputOutput("standard output: \(String(cString: strerror(errno)))")
            }
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
