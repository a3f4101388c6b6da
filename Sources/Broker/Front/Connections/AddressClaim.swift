import BrokerCore

/// The address that something counts as a connection of: a connection itself, or what a trusted proxy brings on one.
///
/// It holds one place at most, and has to be released where it ends.
struct AddressClaim {
    private let gate: Gatekeeper
    private var address: IPAddress?

    /// A claim to no place yet.
    init(at gate: Gatekeeper) {
        self.gate = gate
    }

    /// Takes a place of an address, also for a connection of its own, if it is one; why there is none.
    mutating func take(_ address: IPAddress, isConnection: Bool) -> ConnectionRefusal? {
        switch gate.enter(address, isNew: isConnection) {
        case .admitted:
            release()
            self.address = address
            return nil
        case .refused(let refusal, let seconds):
            gate.leave(address)
            return ConnectionRefusal(refusal, retryAfter: seconds)
        case .closed(let refusal): return ConnectionRefusal(refusal, retryAfter: 1)
        }
    }

    /// Gives the place back, if there is one.
    mutating func release() {
        guard let address else { return }
        self.address = nil
        gate.leave(address)
    }
}
