import Foundation
import Synchronization

/// Runs a shell command for each message, some at a time. The position moves to a message when the commands of it and of
/// all before it have succeeded.
final class CommandRunner {
    private struct Running {
        let task: Task<Void, any Error>
        let sequence: UInt64?
        let epoch: String?
    }
    private let command: String
    private let concurrency: Int
    private let position: PositionFile?
    private var running: [Running] = []

    init(_ command: String, concurrency: Int, position: PositionFile?) {
        self.command = command
        self.concurrency = concurrency
        self.position = position
    }

    /// Starts the command when there is room. Throws when an earlier one has failed.
    func start(_ message: Received, input: [UInt8]) async throws {
        while running.count >= concurrency { try await finishFirst() }
        var variables = ProcessInfo.processInfo.environment
        variables["FANFARE_CHANNEL"] = message.channel
        variables["FANFARE_SEQ"] = message.sequence.map(String.init) ?? ""
        variables["FANFARE_ID"] = message.id ?? ""
        let environment = variables
        let what = message.sequence.map { "\(message.channel) #\($0)" } ?? message.channel
        let task = Self.launch(command, environment: environment, input: input, on: what)
        running.append(Running(task: task, sequence: message.sequence, epoch: message.epoch))
        if concurrency == 1 { try await finishFirst() }
    }

    private static func launch(
        _ command: String, environment: [String: String], input: [UInt8], on what: String
    ) -> Task<Void, any Error> {
        Task.detached {
            let status = try await Self.run(command, environment: environment, input: input)
            if status != 0 { throw CLIError.commandFailed("the command failed on \(what), with status \(status)") }
        }
    }

    /// Waits for all that run. Throws when one has failed.
    func finish() async throws {
        while !running.isEmpty { try await finishFirst() }
    }

    private func finishFirst() async throws {
        let first = running.removeFirst()
        do {
            try await first.task.value
        } catch {
            // Those behind it end, too, and come again with the next start.
            for other in running { _ = await other.task.result }
            running = []
            throw error
        }
        if let sequence = first.sequence { try position?.note(sequence, epoch: first.epoch, isUrgent: true) }
    }

    /// Runs a shell command with `input` on its standard input; its exit status, 128 and more for a signal.
    private static func run(_ command: String, environment: [String: String], input: [UInt8]) async throws -> Int32 {
        // A file, so that a command that does not read its input cannot hold us up.
        guard let file = tmpfile() else {
            throw CLIError.inputOutput("a temporary file: \(String(cString: strerror(errno)))")
        }
        defer { fclose(file) }
        guard input.withUnsafeBytes({ fwrite($0.baseAddress, 1, $0.count, file) }) == input.count, fflush(file) == 0
        else { throw CLIError.inputOutput("a temporary file: \(String(cString: strerror(errno)))") }
        rewind(file)
        let identifier = try spawn(command, environment: environment, input: fileno(file))
        return await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                var status: Int32 = 0
                while waitpid(identifier, &status, 0) < 0, errno == EINTR {}
                let signal = status & 0x7f
                continuation.resume(returning: signal == 0 ? status >> 8 & 0xff : 128 + signal)
            }
        }
    }

    private static func spawn(_ command: String, environment: [String: String], input: Int32) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input, 0)
        // The signals that this program does not heed are the command's own again.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGPIPE, SIGINT, SIGTERM] { sigaddset(&signals, number) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
        let argv: [UnsafeMutablePointer<CChar>?] = [strdup("/bin/sh"), strdup("-c"), strdup(command), nil]
        let envp = environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { for text in argv + envp { free(text) } }
        var identifier: pid_t = 0
        let error = posix_spawn(&identifier, "/bin/sh", &actions, &attributes, argv, envp)
        guard error == 0 else { throw CLIError.inputOutput("/bin/sh: \(String(cString: strerror(error)))") }
        return identifier
    }
}
