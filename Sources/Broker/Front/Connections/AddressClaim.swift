import BrokerCore

/// The address that something counts as a connection of: a connection itself, or what a trusted proxy brings on one.
///
/// It holds one place at most, and has to be released where it ends, at the gate where that was taken.
struct AddressClaim {
    private var address: IPAddress?

    /// Takes a place of an address, also for a connection of its own, if it is one; why there is none.
    mutating func take(_ address: IPAddress, isConnection: Bool, at gate: Gatekeeper) -> ConnectionRefusal? {
        switch gate.enter(address, isNew: isConnection) {
        case .admitted:
            release(at: gate)
            self.address = address
            return nil
        case .refused(let refusal, let seconds):
            gate.leave(address)
            return ConnectionRefusal(refusal, retryAfter: seconds)
        case .closed(let refusal): return ConnectionRefusal(refusal, retryAfter: 1)
        }
    }

    /// Gives the place back, if there is one.
    mutating func release(at gate: Gatekeeper) {
        guard let address else { return }
        self.address = nil
        gate.leave(address)
    }
}
