extension CatchUp {
    /// A replay of which something was handed out, and of which the end is not settled.
    struct Begun {
        /// All of it, for what the client turns out not to have: the step that is read goes on from `position`.
        var request: BacklogRequest
        /// Up to here it was handed out.
        var position: UInt64
        /// Up to here its client has acknowledged it; 0 for nothing of it.
        var acknowledged: UInt64
        /// Whether the client has acknowledged all that was handed out of it.
        var hasAnswered: Bool

        var part: Int64 { request.part }
        /// What is newer is live; all older that was live has been handed out before.
        var through: UInt64 { request.through }
    }

    /// How far the replay is that comes first.
    enum Stage {
        /// Nothing of it was handed out, or all of it is settled.
        case idle
        /// There is a rest of it.
        case begun(Begun)
        /// All of it was handed out, and the acknowledgement is not written down yet.
        case unsettled(Begun)

        var begun: Begun? {
            switch self {
            case .idle: nil
            case .begun(let begun), .unsettled(let begun): begun
            }
        }

        var isUnsettled: Bool {
            switch self {
            case .idle, .begun: false
            case .unsettled: true
            }
        }

        /// Something of it was handed out, up to `position`. With the first of it, `request` is what all of it is.
        mutating func handOut(of request: BacklogRequest, through position: UInt64) {
            var next = begun ?? Begun(request: request, position: position, acknowledged: 0, hasAnswered: true)
            next.position = position
            next.hasAnswered = false
            self = .begun(next)
        }

        /// Nothing of it is left to be handed out. Whether that has to be settled: not when nothing ever was.
        mutating func finish(through position: UInt64) -> Bool {
            guard var next = begun else { return false }
            next.position = position
            self = .unsettled(next)
            return true
        }

        /// A rest of it is to be read anew.
        mutating func interrupt() {
            switch self {
            case .idle, .begun: break
            case .unsettled(let begun): self = .begun(begun)
            }
        }

        /// The client has acknowledged all that was handed out.
        mutating func acknowledge() {
            guard var next = begun else { return }
            next.acknowledged = next.position
            next.hasAnswered = true
            self = isUnsettled ? .unsettled(next) : .begun(next)
        }

        /// What the client has not acknowledged is to be handed out again.
        mutating func rewind() {
            guard var next = begun else { return }
            next.position = next.acknowledged
            next.hasAnswered = true
            self = next.acknowledged == 0 ? .idle : .begun(next)
        }

        /// Who subscribed to it wants only a part of it from now on, or nothing.
        mutating func restrict(to isKept: (ChannelPattern) -> Bool) {
            guard var next = begun, let rest = next.request.restricted(to: isKept) else { return self = .idle }
            next.request = rest
            self = isUnsettled ? .unsettled(next) : .begun(next)
        }
    }
}
