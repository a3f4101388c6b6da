import BrokerCore
import Logging

extension StoreWatch.News {
    /// Writes it into the log: what is wrong, what comes of it, and what to do; nothing of what was to be stored.
    func log(to logger: Logger) {
        switch self {
        case .fails(let error):
            logger.error("the store fails", metadata: Self.fields(error))
        case .stillFails(let error, let count):
            let more = Self.fields(error).merging(["failures": "\(count)"]) { $1 }
            logger.error("the store still fails", metadata: more)
        case .works(let count, let seconds):
            logger.notice("the store works again", metadata: ["failures": "\(count)", "seconds": "\(seconds)"])
        }
    }

    private static func fields(_ error: StoreError) -> Logger.Metadata {
        let consequence =
            error.kind == .failedSync
            ? "whatever has to be stored is refused until the broker is started again"
            : "what it cannot store is refused, and whoever published it is told; what is not stored goes on"
        var fields: Logger.Metadata = [
            "kind": "\(error.kind.rawValue)", "store": "\(error.what)", "reason": "\(error.reason)",
            "consequence": "\(consequence)",
        ]
        if let remedy = error.remedy { fields["remedy"] = "\(remedy)" }
        return fields
    }
}
