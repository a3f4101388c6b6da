import ArgumentParser
import FanfareClient

/// How long a command that publishes may be without its connection.
struct OutageOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Keep trying for so long when the connection was lost.", valueName: "seconds"))
    var retry = 30.0

    func validate() throws {
        try retry.checkRetry()
    }

    /// The configuration, with that.
    func limiting(_ configuration: ClientConfiguration) -> ClientConfiguration {
        var configuration = configuration
        configuration.maximumOutage = .seconds(retry)
        return configuration
    }
}

extension Double {
    /// Throws unless it can be the value of `--retry` (seconds).
    func checkRetry() throws {
        if !(self >= 0 && self <= 1e9) { throw ValidationError("--retry is a number of seconds.") }
    }

    /// Throws unless it can be the value of `--ttl` (seconds).
    func checkTimeToLive() throws {
        if !(self > 0 && isFinite) { throw ValidationError("--ttl is a number of seconds above 0.") }
    }
}
