import ArgumentParser

/// `broker-cli cheat`: what can be done, by examples.
struct CheatCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cheat",
        abstract: "Print examples: of publishing, subscribing, scripts, profiles, looking around.",
        discussion: "broker-cli cheat scripts")

    @Argument(
        help: "publish, subscribe, scripts, profiles or look (default: all).", completion: .list(sheets.map(\.name)))
    var topic: String?

    func run() throws {
        let chosen = Self.sheets.filter { topic == nil || $0.name == topic }
        guard !chosen.isEmpty else {
            throw ValidationError("There are the sheets \(Self.sheets.map(\.name).joined(separator: ", ")).")
        }
        try checked { () throws(CLIError) in
            for (number, sheet) in chosen.enumerated() {
                try Console.write(Array("\(number == 0 ? "" : "\n")# \(sheet.name)\n\(sheet.text)\n".utf8))
            }
        }
    }

    private static let sheets: [(name: String, text: String)] = [
        (
            "publish",
            """
            broker-cli pub /chat/room-1 '{"text":"Hello"}'        # one document
            broker-cli pub /news @article.json --retain          # from a file; kept for who comes later
            tail -f log.ndjson | broker-cli pub /log -           # each line is a document
            uptime | broker-cli pub /host --raw                  # any text, as a JSON string
            broker-cli pub /config/theme --null --retain         # clear what is retained
            broker-cli pub /a '{"n":{{count}}}' --template --count 10 --rate 2
            """
        ),
        (
            "subscribe",
            """
            broker-cli sub '/chat/**' --exclude '/chat/debug/**'
            broker-cli sub /news --last 10                       # the end of the history, and what comes
            broker-cli sub /news --since 41 --until-end          # what was missed
            broker-cli sub '/config/**' --retained-only
            broker-cli sub '/**' --format '%{time} %{channel} %{data}'
            broker-cli sub /jobs --count 1 --timeout 10 || echo "nothing came ($?)"
            """
        ),
        (
            "scripts",
            """
            make-data | broker-cli pub /data - --spool ~/outbox  # kept on disk until the broker has it
            broker-cli flush ~/outbox                            # send what waits there
            # at least once each, in order, if the broker stores them: channels: {/jobs/*: {history: 10000}}
            broker-cli sub '/jobs/*' --state ~/jobs.state --exec ./work
            broker-cli sub '/jobs/*' --state ~/jobs.state --exec ./work --exec-concurrency 4
            broker-cli sub /names --print0 --format '%{data}' | xargs -0 -n1 ./greet
            broker-cli req /service/time '{}'                    # ask, and print the answer
            """
        ),
        (
            "profiles",
            """
            install -m 600 /dev/stdin ~/.config/fanfare/profiles.yaml <<'END'
            production:
              url: https://push.example.com/bayeux
              token-file: ~/.config/fanfare/production.token
            END
            broker-cli profile use production                    # and with -, the one before
            broker-cli profile show --effective                  # what holds, and where it comes from
            FANFARE_PROFILE=production broker-cli sub /news
            """
        ),
        (
            "look",
            """
            broker-cli history /news --limit 10
            broker-cli retained list '/config/**'
            broker-cli channels '/chat/**'                       # what is subscribed to
            broker-cli sessions list                             # who is there; sessions kick ID ends one
            broker-cli stats --every 5                           # what the broker holds and does
            broker-cli doctor                                    # what works between here and the broker?
            broker-cli bench --rate 1000 --duration 10           # how long does a message take?
            """
        ),
    ]
}
