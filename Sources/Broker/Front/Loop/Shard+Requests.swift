import BrokerCore

/// From HTTP requests to the router.
extension Shard {
    /// A publication over HTTP: one valid JSON value.
    func publish(
        _ data: RawSpan, to channel: ChannelName, options: PublishOptions, forExchangeIn slot: UInt32, caller: Caller?
    ) {
        switch router {
        case .local(let router):
            router.publish(data, to: channel, options: options, from: id(slot), caller: caller)
        case .remote(let mailbox, _):
            post(.publish(data.withUnsafeBytes { Array($0) }, channel, options, id(slot), caller), to: mailbox)
        case nil: break
        }
    }

    /// A request for a channel's retained message.
    func readRetained(of channel: ChannelName, forExchangeIn slot: UInt32, caller: Caller?) {
        switch router {
        case .local(let router): router.readRetained(of: channel, for: id(slot), caller: caller)
        case .remote(let mailbox, _): post(.readRetained(channel, id(slot), caller), to: mailbox)
        case nil: break
        }
    }

    /// A request for a part of a channel's history.
    func readHistory(
        of channel: ChannelName, _ range: HistoryRange, forExchangeIn slot: UInt32, caller: Caller?
    ) {
        switch router {
        case .local(let router): router.readHistory(of: channel, range, for: id(slot), caller: caller)
        case .remote(let mailbox, _): post(.readHistory(channel, range, id(slot), caller), to: mailbox)
        case nil: break
        }
    }

    /// A question of the administrator.
    func ask(_ query: AdminQuery, forExchangeIn slot: UInt32) {
        switch router {
        case .local(let router): router.answer(query, for: id(slot))
        case .remote(let mailbox, _): post(.ask(query, id(slot)), to: mailbox)
        case nil: break
        }
    }

    /// Asks for an event stream of the session with this client id.
    func openStream(in slot: UInt32, for clientID: String, caller: Caller?) {
        switch router {
        case .local(let router): router.openStream(for: clientID, from: id(slot), caller: caller)
        case .remote(let mailbox, _): post(.openSessionStream(clientID, id(slot), caller), to: mailbox)
        case nil: break
        }
    }

    /// Asks for an event stream of channels.
    func openStream(
        in slot: UInt32, of items: [SubscriptionItem], at address: AddressClass, caller: Caller?
    ) {
        switch router {
        case .local(let router): router.openStream(of: items, from: id(slot), at: address, caller: caller)
        case .remote(let mailbox, _): post(.openChannelStream(items, id(slot), address, caller), to: mailbox)
        case nil: break
        }
    }
}
