import Foundation

/// How a program ended.
struct Ending: Equatable {
    /// Its exit status; 128 and more for a signal, as shells say it.
    let status: Int32
    let output: String
    let errors: String
}

/// What a test misses.
struct Missing: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// A program that was built with the tests and runs now. It is killed when a test waits for longer than `Patience.limit`
/// for what it writes, or for its end.
final class Program {
    /// Where its standard input comes from.
    enum Input {
        case nothing
        case bytes(String)
    }
    private static let proxyVariables = [
        "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY",
    ]

    /// Where the programs lie: beside the tests.
    static let folder: URL = {
        let bundle = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }?.bundleURL
        return bundle?.deletingLastPathComponent() ?? Bundle.main.bundleURL
    }()

    private let identifier: pid_t
    private let errorFile: URL
    private let files: TemporaryFolder
    /// Written to, it has our end of the pipe that the program writes to closed.
    private let stopReading: Int32
    private var chunks: AsyncStream<Data>.Iterator
    private var unread = Data()
    private var statuses: AsyncStream<Int32>.Iterator
    private let patience: Patience

    /// Starts `name`, one of ours or the path of another program. The environment is this one's, without what our
    /// programs look at, and with what is given.
    init(
        _ name: String, _ arguments: [String], environment: [String: String] = [:], input: Input = .nothing
    ) throws {
        files = try TemporaryFolder()
        errorFile = files.url.appending(path: "errors")
        var inputPath = "/dev/null"
        if case .bytes(let text) = input {
            inputPath = files.path("input")
            try Data(text.utf8).write(to: URL(filePath: inputPath))
        }
        var variables = ProcessInfo.processInfo.environment
        for name in ["XDG_STATE_HOME", "XDG_CONFIG_HOME", "NO_COLOR"] + Self.proxyVariables { variables[name] = nil }
        for name in variables.keys where name.hasPrefix("FANFARE_") { variables[name] = nil }
        variables["HOME"] = files.url.path
        variables["PATH"] = Program.folder.path + ":" + (variables["PATH"] ?? "")
        let path = name.hasPrefix("/") ? name : Program.folder.appending(path: name).path

        let ends = try Self.makePipe()
        let stop = try Self.makePipe()
        let standard = [
            open(inputPath, O_RDONLY), ends[1],
            open(errorFile.path, O_WRONLY | O_CREAT, 0o600),
        ]
        stopReading = stop[1]
        identifier = try Self.spawn(
            path, [path] + arguments, environment: variables.merging(environment) { $1 }, standard: standard)
        for descriptor in standard { close(descriptor) }

        let patience = Patience(with: identifier)
        self.patience = patience
        let (chunks, chunkContinuation) = AsyncStream.makeStream(of: Data.self)
        self.chunks = chunks.makeAsyncIterator()
        Thread.detachNewThread {
            var buffer = [UInt8](repeating: 0, count: 65_536)
            var awaited = [ends[0], stop[0]].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            while poll(&awaited, 2, -1) > 0, awaited[1].revents == 0 {
                let count = read(ends[0], &buffer, buffer.count)
                guard count > 0 else { break }
                patience.hasWritten()
                chunkContinuation.yield(Data(buffer.prefix(count)))
            }
            close(ends[0])
            close(stop[0])
            chunkContinuation.finish()
        }
        let (statuses, statusContinuation) = AsyncStream.makeStream(of: Int32.self)
        self.statuses = statuses.makeAsyncIterator()
        let identifier = identifier
        Thread.detachNewThread {
            var status: Int32 = 0
            while waitpid(identifier, &status, 0) < 0, errno == EINTR {}
            patience.hasEnded()
            let signal = status & 0x7f
            statusContinuation.yield(signal == 0 ? status >> 8 & 0xff : 128 + signal)
            statusContinuation.finish()
        }
    }

    private static func makePipe() throws -> [Int32] {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw Missing("a pipe: \(errno)") }
        return ends
    }

    private static func spawn(
        _ path: String, _ arguments: [String], environment: [String: String], standard: [Int32]
    ) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (number, descriptor) in standard.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(number))
        }
        // Nothing else is inherited: pipes and listening sockets of other tests would stay open in the program.
        // Some more than there are, for those that other tests open right now.
        let highest = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap(Int32.init).max()
        for descriptor in Int32(standard.count)..<min((highest ?? 0) + 1024, getdtablesize()) {
            posix_spawn_file_actions_addclose(&actions, descriptor)
        }
        let argv = arguments.map { strdup($0) } + [nil]
        let envp = environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { for text in argv + envp { free(text) } }
        var identifier: pid_t = 0
        let error = posix_spawn(&identifier, path, &actions, nil, argv, envp)
        guard error == 0 else { throw Missing("\(path): \(String(cString: strerror(error)))") }
        return identifier
    }

    deinit {
        send(signal: SIGKILL)
        close(stopReading)
    }

    /// Runs a program to its end.
    static func run(
        _ name: String, _ arguments: String..., environment: [String: String] = [:], input: Input = .nothing
    ) async throws -> Ending {
        try await Program(name, arguments, environment: environment, input: input).end()
    }

    /// The next line that it writes, without the line end.
    func line() async throws -> String {
        while true {
            if let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
                defer { unread = Data(unread[(end + 1)...]) }
                return String(decoding: unread[..<end], as: UTF8.self)
            }
            guard let chunk = await nextChunk() else {
                throw Missing("the output ended; errors: \(errors)")
            }
            unread += chunk
        }
    }

    private func nextChunk() async -> Data? {
        patience.begin()
        guard let chunk = await chunks.next() else { return nil }
        patience.hasRead()
        return chunk
    }

    /// Waits for its end; the output is what was not read before.
    func end() async throws -> Ending {
        while let chunk = await nextChunk() { unread += chunk }
        return try await endWithoutOutput()
    }

    /// Closes our end of the pipe that it writes to.
    func closeOutput() async {
        _ = write(stopReading, "x", 1)
        while let chunk = await nextChunk() { unread += chunk }
    }

    /// Waits for its end, its output having been read or closed.
    func endWithoutOutput() async throws -> Ending {
        patience.begin()
        guard let status = await statuses.next() else { throw Missing("the program's end") }
        return Ending(status: status, output: String(decoding: unread, as: UTF8.self), errors: errors)
    }

    var isRunning: Bool { patience.isRunning }

    func send(signal: Int32) { patience.send(signal: signal) }

    /// What it has said on standard error so far.
    var errors: String { (try? String(contentsOf: errorFile, encoding: .utf8)) ?? "" }
}
