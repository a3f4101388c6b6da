import BrokerFront

/// What another configuration says of the listeners: files of TLS are read again while the broker runs, all else begins
/// with the next start.
struct ListenerChanges {
    /// Keys that are applied, such as `listeners[0].tls.key`.
    private(set) var applied: [String] = []
    /// Keys that wait for a restart.
    private(set) var waiting: [String] = []
    /// Whether the group `tls` has come or gone.
    let isTLSGroupNew: Bool
    private let next: Settings

    init(from running: Settings, to next: Settings) {
        self.next = next
        isTLSGroupNew = (running.tls == nil) != (next.tls == nil)
        for index in 0..<max(running.listeners.count, next.listeners.count) {
            let name = "listeners[\(index)]"
            guard index < running.listeners.count, index < next.listeners.count else {
                waiting.append(name)
                continue
            }
            let (old, new) = (running.listeners[index], next.listeners[index])
            let isSame = old.name == new.name && (old.tls == nil) == (new.tls == nil)
            for setting in ListenerSetting.all where setting.get(old) != setting.get(new) {
                if setting.isLive, isSame {
                    applied.append("\(name).\(setting.name)")
                } else {
                    waiting.append("\(name).\(setting.name)")
                }
            }
        }
    }

    /// Notes the files of the listeners that there are in the section of their own.
    func takeFiles(into running: inout Settings) {
        for index in running.listeners.indices where index < next.listeners.count {
            let listener = next.listeners[index]
            guard running.listeners[index].name == listener.name, running.listeners[index].tls != nil else { continue }
            running.listeners[index].tls = listener.tls ?? running.listeners[index].tls
        }
    }
}
