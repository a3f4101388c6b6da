/// Who uses the slots of one event loop. Not thread-safe: it belongs to its loop.
struct SlotTable {
    /// Who uses a slot.
    enum Entry {
        case free
        case socket(WebSocketHandler)
        case exchange(RouterExchange)
        case stream(EventStream)
        /// Gone; the slot is free once the router has released it.
        case gone

        /// What is written to it, if it is written to more than once.
        var outbound: Outbound? {
            switch self {
            case .socket(let socket): socket.outbound
            case .stream(let stream): stream.outbound
            case .exchange, .free, .gone: nil
            }
        }
    }
    private(set) var entries: [Entry] = []
    private var forms: [UInt8] = []
    private var freeSlots: [UInt32] = []

    subscript(slot: UInt32) -> Entry {
        get { entries[Int(slot)] }
        set { entries[Int(slot)] = newValue }
    }

    /// The form of the slot's connection, by its number in `WireForms`.
    func form(of slot: UInt32) -> UInt8 { forms[Int(slot)] }

    /// Takes a slot for a connection with the form of this number.
    mutating func add(_ entry: Entry, form: UInt8) -> UInt32 {
        if let slot = freeSlots.popLast() {
            entries[Int(slot)] = entry
            forms[Int(slot)] = form
            return slot
        }
        entries.append(entry)
        forms.append(form)
        return UInt32(entries.count - 1)
    }

    /// Slots that nobody uses any more, and the router no longer knows.
    mutating func free(_ slots: [UInt32]) {
        for slot in slots { entries[Int(slot)] = .free }
        freeSlots += slots
    }
}
