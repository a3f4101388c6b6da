import ArgumentParser
import FanfareClient

/// `broker-cli sessions`: who is there.
struct SessionsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sessions", abstract: "List, show and end the sessions of clients.",
        discussion: """
            broker-cli sessions list
            broker-cli sessions show 0f8xk2qa
            broker-cli sessions kick 0f8xk2qa
            broker-cli sessions why 0f8xk2qa

            A session is named by the first 8 characters of its client id; the whole of it is the client's secret. For \
            the administrator, as broker-cli channels --help says.
            """,
        subcommands: [List.self, Show.self, Kick.self, Why.self], defaultSubcommand: List.self)

    @ParentCommand var root: BrokerCLI

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List all sessions.", discussion: "broker-cli sessions list | jq 'select(.slow)'")
        @ParentCommand var parent: SessionsCommand
        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            let configuration = try checked { () throws(CLIError) in
                try connection.configuration(parent.root.connection)
            }
            try await broker_cli.run("sessions", configuration) {
                let admin = try AdminClient(configuration)
                var printer = ObjectPrinter([
                    .init(title: "ID", member: "id"), .init(title: "STATE", member: "state"),
                    .init(title: "CHANNELS", member: "subscription_count", isNumber: true),
                    .init(title: "QUEUED", member: "queued_messages", isNumber: true),
                    .init(title: "BYTES", member: "queued_bytes", isNumber: true),
                    .init(title: "SLOW", member: "slow"), .init(title: "SEQ", member: "cursor", isNumber: true),
                ])
                try await admin.elements(of: "sessions", "/sessions") { try printer.add($0) }
                try printer.finish()
                await admin.close()
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print what is known of a session.", discussion: "broker-cli sessions show 0f8xk2qa")
        @ParentCommand var parent: SessionsCommand
        @OptionGroup var connection: ConnectionOptions
        @OptionGroup var session: SessionArgument

        func run() async throws {
            try await session.act("GET", at: connection, parent.root.connection)
        }
    }

    struct Kick: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End a session; its client is told to stay away.",
            discussion: "broker-cli sessions kick 0f8xk2qa")
        @ParentCommand var parent: SessionsCommand
        @OptionGroup var connection: ConnectionOptions
        @OptionGroup var session: SessionArgument

        func run() async throws {
            try await session.act("DELETE", at: connection, parent.root.connection)
        }
    }
}

/// The session that a command is about.
struct SessionArgument: ParsableArguments {
    @Argument(help: "The first 8 characters of its id, or more.") var session: String

    func validate() throws {
        try Self.check(session)
    }

    /// Refuses what is no beginning of a session's id.
    static func check(_ session: String) throws {
        guard session.utf8.count >= 8, session.utf8.allSatisfy({ Self.digits.contains($0) }) else {
            throw ValidationError("A session is named by 8 or more of the characters 0-9 and a-z.")
        }
    }

    private static let digits = Array("0123456789abcdefghijklmnopqrstuvwxyz".utf8)

    /// Asks the broker, and prints what it answers.
    func act(_ method: String, at inner: ConnectionOptions, _ outer: ConnectionOptions) async throws {
        let configuration = try checked { () throws(CLIError) in try inner.configuration(outer) }
        try await broker_cli.run("session \(session)", configuration) {
            let admin = try AdminClient(configuration)
            let answer = try await admin.object(method, "/sessions/\(session)")
            try Console.write(answer + [UInt8(ascii: "\n")])
            await admin.close()
        }
    }
}
