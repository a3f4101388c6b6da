import FanfareClient

/// Clears what channels retain.
struct RetainedClearing {
    let configuration: ClientConfiguration
    /// Channels that were cleared.
    private(set) var count = 0

    init(configuration: ClientConfiguration) {
        self.configuration = configuration
    }

    /// Clears channels, whether or not they retain something.
    mutating func clear(_ channels: [String]) async throws {
        if channels.isEmpty { return }
        try await withClient(configuration) { client in
            for channel in channels {
                try await client.publish(Publication(Array("null".utf8), to: channel, retain: true))
                count += 1
            }
        }
    }

    /// Clears what is retained below patterns, until nothing is but what somebody has published meanwhile.
    mutating func clear(below patterns: [String]) async throws {
        if patterns.isEmpty { return }
        var cleared: Set<String> = []
        while true {
            let names = Set(try await retained(below: patterns)).subtracting(cleared)
            if names.isEmpty { return }
            try await clear(names.sorted())
            cleared.formUnion(names)
        }
    }

    /// The channels below patterns that retain something.
    private func retained(below patterns: [String]) async throws -> [String] {
        try await withClient(configuration) { client in
            let silence = Silence()
            let states = client.states()
            async let _ = silence.follow(states)
            var names: [String] = []
            let messages = try await client.subscribe(to: patterns)
            // What is retained comes first; nothing says that it was the last.
            let end = Task {
                try await silence.wait(Reading.endSilence)
                await client.close()
            }
            defer { end.cancel() }
            while let batch = try await silence.nextBatch(of: messages) {
                names += batch.filter(\.isRetained).map(\.channel)
                if batch.contains(where: { !$0.isRetained }) { break }
            }
            return names
        }
    }
}
