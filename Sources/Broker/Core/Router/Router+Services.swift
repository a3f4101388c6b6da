/// Services of the program that embeds the broker: a message to one is answered on its channel, with its id, by what the
/// service returns (CometD's `remoteCall`). Nobody else hears of it.
extension Router {
    /// A message to `/service/…`: without such a service it is acknowledged, and that is all.
    mutating func callService(
        _ channel: ChannelName, _ request: Request, text: RawSpan, into outbox: inout Outbox
    ) {
        guard embedding.services.contains(channel.text) else {
            return reply(to: request, text: text, nil, into: &outbox)
        }
        guard !work.servicesAreBusy else {
            return reply(to: request, text: text, .bayeux(.tooMany("calls")), into: &outbox)
        }
        var data: [UInt8] = []
        data.append(request.envelope.data, of: text)
        let clientID = (try? session(of: request, text: text).get())?.clientID
        let call = PendingCall(
            peer: request.peer, replyHead: Self.replyHead(of: request, text: text), byteCount: data.count)
        let ticket = work.begin(call)
        outbox.append(.call(ServiceCall(ticket: ticket, clientID: clientID, channel: channel, data: data)))
        begin(for: request.peer.connection, into: &outbox)
    }

    /// A service has answered, with JSON, or could not.
    package mutating func finishService(
        _ ticket: CallTicket, _ result: Result<[UInt8], BayeuxError>, into outbox: inout Outbox
    ) {
        guard let call = work.finish(call: ticket) else { return }
        let (peer, head) = (call.peer, call.replyHead)
        switch result {
        case .success(let data):
            reply(to: peer, head: head, nil, into: &outbox) { bytes in
                bytes += #""data":"#.utf8
                bytes += data
                bytes.append(UInt8(ascii: ","))
            }
        case .failure(let error):
            reply(to: peer, head: head, error, into: &outbox)
        }
        settle(peer.connection, into: &outbox)
    }
}

/// Events for those who watch.
extension Router {
    func tell(_ event: @autoclosure () -> BrokerEvent, into outbox: inout Outbox) {
        if embedding.isObserved { outbox.append(.event(event())) }
    }

    /// A publication was taken.
    func tellPublish(_ request: Request, text: RawSpan, _ channel: ChannelName, into outbox: inout Outbox) {
        guard embedding.isObserved else { return }
        var data: [UInt8] = []
        data.append(request.envelope.data, of: text)
        let clientID = request.envelope.clientId.string(in: text)
        outbox.append(.event(.publish(clientID: clientID, channel: channel.text, data: data)))
    }
}
