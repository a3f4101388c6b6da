import ArgumentParser
import FanfareClient
import Foundation
import Synchronization

/// What shells complete for a channel: those that retain something, at the broker that the command line, the environment
/// or the profile names. Who waits for a completion does not wait long: a second at most.
enum ChannelCompletion {
    @Sendable static func names(_ arguments: [String]) async -> [String] {
        func value(of flag: String) -> String? {
            arguments.lastIndex(of: flag).flatMap { $0 + 1 < arguments.count ? arguments[$0 + 1] : nil }
        }
        let keys: [SettingKey] = [.url, .token, .tokenFile, .ca, .proxy]
        guard
            let settings = try? EffectiveSettings(
                flags: keys.map { ($0, value(of: "--\($0.rawValue)")) }, profile: value(of: "--profile"),
                environment: ProcessInfo.processInfo.environment),
            var configuration = try? settings.configuration()
        else { return [] }
        configuration.connectTimeout = .milliseconds(500)
        configuration.maximumOutage = .zero
        guard let client = try? BayeuxClient(configuration) else { return [] }
        let timer = Task {
            try await Task.sleep(for: .seconds(1))
            await client.abandon()
        }
        let names = Mutex(Set<String>())
        let silence = Silence()
        do {
            try await client.connect()
            let messages = try await client.subscribe(to: "/**")
            let end = Task {
                try await silence.wait(.milliseconds(200))
                await client.close()
            }
            defer { end.cancel() }
            while let batch = try await silence.nextBatch(of: messages) {
                let retained = batch.filter(\.isRetained).map(\.channel)
                names.withLock { $0.formUnion(retained) }
            }
        } catch {}
        timer.cancel()
        return names.withLock { $0 }.sorted()
    }
}
