import NIOCore

/// What the client's callers ask for.
extension ClientCore {
    /// How long a broker that is told of the end is waited for.
    private static let closeTimeout = TimeAmount.seconds(2)

    /// Begins the session, unless it has begun; told when it is there.
    func begin(_ promise: EventLoopPromise<Void>) {
        switch phase {
        case .open: promise.succeed()
        case .idle, .dialing, .shakingHands, .resuming, .waiting:
            ready.append(promise)
            start()
        case .closing, .closed: promise.fail(ClientError.clientClosed)
        }
    }

    /// Subscribes; without a session the next one does.
    func subscribe(_ group: SubscriptionGroup) {
        switch phase {
        case .open:
            groups.append(group)
            sendSubscribe(group)
            flush()
        case .idle, .dialing, .shakingHands, .resuming, .waiting: groups.append(group)
        case .closing, .closed:
            group.answered?.fail(ClientError.clientClosed)
            group.answered = nil
        }
    }

    /// Publishes, behind what was published before; without a session it waits for one.
    func publish(_ new: [Publication], _ done: EventLoopPromise<[PublicationOutcome]>) {
        if new.isEmpty { return done.succeed([]) }
        switch phase {
        case .idle, .dialing, .shakingHands, .resuming, .open, .waiting:
            publications.append(new, ticket: PublicationQueue.Ticket(count: new.count, done: done))
            flush()
        case .closing, .closed: done.succeed(new.map { _ in .failure(.clientClosed) })
        }
    }

    /// Asks a service; without a session the next one does.
    func request(_ channel: String, _ data: [UInt8], _ promise: EventLoopPromise<Message>) {
        switch phase {
        case .open:
            sendService(channel, data, promise)
            flush()
        case .idle, .dialing, .shakingHands, .resuming, .waiting: services.append((channel, data, promise))
        case .closing, .closed: promise.fail(ClientError.clientClosed)
        }
    }

    /// Ends the session, so that the broker need not wait for it. Who asks again while the broker is waited for waits no
    /// more.
    func close(_ promise: EventLoopPromise<Void>) {
        switch phase {
        case .open:
            closed.append(promise)
            phase = .closing
            sendDisconnect()
            let bound = NIOLoopBound(self, eventLoop: loop)
            timer = loop.scheduleTask(in: Self.closeTimeout) { bound.value.end(nil) }
        case .idle, .dialing, .shakingHands, .resuming, .waiting, .closing:
            closed.append(promise)
            end(nil)
        case .closed: promise.succeed()
        }
    }
}
