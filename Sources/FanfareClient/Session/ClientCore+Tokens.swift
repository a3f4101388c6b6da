import NIOCore

/// Tokens that come from a source, and how they get to the broker.
extension ClientCore {
    /// Asks the source for a token, unless it is being asked already.
    func askForToken() {
        guard !isFetchingToken, phase != .closed, phase != .closing else { return }
        isFetchingToken = true
        fetchToken(self)
    }

    /// The source has answered. A session that waits for it begins; one that is open hands it on at once.
    func tokenFetched(_ token: String) {
        guard phase != .closed else { return }
        isFetchingToken = false
        self.token = token
        isTokenNew = true
        var generator = SystemRandomNumberGenerator()
        renewal?.cancel()
        renewal = TokenSource.renewal(of: token, using: &generator).map { delay in
            let bound = NIOLoopBound(self, eventLoop: loop)
            return loop.scheduleTask(in: .nanoseconds(delay.nanoseconds)) { bound.value.askForToken() }
        }
        if phase == .shakingHands, awaitsToken { shakeHands() }
        if phase == .open { sendConnect() }
        // Those of a session that does not go on are asked for when one does.
        for group in groups where group.tokenTrial == .awaited {
            group.tokenTrial = .repeated
            if phase == .open { sendSubscribe(group) }
        }
        flush()
    }

    /// The source has failed: it is asked again, if that is of any use.
    func tokenFailed(_ error: any Error) {
        guard phase != .closed else { return }
        if let error = error as? TokenSource.Unauthorized {
            return end(ClientError(.denied, "\(error)"))
        }
        var generator = SystemRandomNumberGenerator()
        let pause = TokenSource.pause(using: &generator)
        let bound = NIOLoopBound(self, eventLoop: loop)
        renewal?.cancel()
        renewal = loop.scheduleTask(in: .nanoseconds(pause.nanoseconds)) {
            bound.value.isFetchingToken = false
            bound.value.askForToken()
        }
    }

    /// The broker does not take the token for a subscription. Whether that is asked for again with another one.
    func tokenRefused(for group: SubscriptionGroup) -> Bool {
        guard configuration.tokenSource != nil, group.tokenTrial != .repeated else { return false }
        group.tokenTrial = .awaited
        askForToken()
        return true
    }

    /// The broker does not take the token. Whether another one is fetched; else it is over.
    func tokenRefused(_ answer: String) -> Bool {
        guard configuration.tokenSource != nil, answer.hasPrefix("401::"), tokenRefusals < TokenSource.patience else {
            return false
        }
        tokenRefusals += 1
        token = nil
        return true
    }
}
