import Foundation

/// Where the broker keeps its data.
enum DatabaseLocation: Equatable {
    /// Nowhere: everything is gone when the broker ends.
    case memory
    case file(String)

    /// `:memory:` or the path of a file.
    init(_ text: String) {
        self = text == ":memory:" ? .memory : .file(text)
    }

    /// The file in the user's state folder (XDG base directories).
    static var standard: Self {
        let environment = ProcessInfo.processInfo.environment
        let home = environment["HOME"] ?? NSHomeDirectory()
        let state = environment["XDG_STATE_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? home + "/.local/state"
        return .file(state + "/fanfare/fanfare.db")
    }

    /// Where the tokens are listed that do not count any more.
    var revocationPath: String? {
        switch self {
        case .memory: nil
        case .file(let path): path + ".revoked"
        }
    }

    var description: String {
        switch self {
        case .memory: "nowhere: everything is gone when the broker stops"
        case .file(let path): path
        }
    }
}
