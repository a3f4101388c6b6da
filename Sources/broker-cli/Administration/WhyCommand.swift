import ArgumentParser
import FanfareClient

extension SessionsCommand {
    /// `broker-cli sessions why`: the broker's memory of what has ended.
    struct Why: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Tell why sessions ended.",
            discussion: """
                broker-cli sessions why 0f8xk2qa
                broker-cli sessions why --limit 10

                Without an id: those that ended last, the newest first. The broker remembers the last 1000 \
                (limits.ended-sessions) since it was started. REASON is disconnect, expired, token_expired, denied, \
                revoked, kicked, stream (an event stream whose connection is gone) or store; LOST tells how the last connection \
                was lost before: peer, timeout, pong, slow, violation, shutdown.
                """)
        @ParentCommand var parent: SessionsCommand
        @OptionGroup var connection: ConnectionOptions
        @Argument(help: "The first 8 characters of a session's id, or more.") var session: String?
        @Option(help: ArgumentHelp("So many at most.", valueName: "n")) var limit = 100

        func validate() throws {
            if let session { try SessionArgument.check(session) }
            guard 1...1000 ~= limit else { throw ValidationError("--limit is a number from 1 to 1000.") }
        }

        func run() async throws {
            let configuration = try checked { () throws(CLIError) in
                try connection.configuration(parent.root.connection)
            }
            try await broker_cli.run("sessions why", configuration) {
                let admin = try AdminClient(configuration)
                var printer = ObjectPrinter([
                    .init(title: "ID", member: "id"), .init(title: "ENDED", member: "ended_at"),
                    .init(title: "REASON", member: "reason"), .init(title: "LOST", member: "connection_lost"),
                    .init(title: "SECONDS", member: "lifetime_seconds", isNumber: true),
                    .init(title: "TRANSPORT", member: "transport"), .init(title: "ADDRESS", member: "address"),
                    .init(title: "PUBLISHED", member: "published", isNumber: true),
                    .init(title: "DELIVERED", member: "delivered", isNumber: true),
                    .init(title: "DROPPED", member: "dropped", isNumber: true),
                    .init(title: "WAITING", member: "waiting", isNumber: true),
                ])
                let path = "/sessions/" + (session.map { $0 + "/why" } ?? "why") + "?limit=\(limit)"
                let answer = JSONText(try await admin.object("GET", path))
                try printer.add(JSONText(answer.raw("sessions") ?? []).elements)
                try printer.finish()
                await admin.close()
            }
        }
    }
}
