import NIOCore

/// Answers that do not come.
///
/// An answer is waited for from when its message was sent over the connection that there is. One task looks after all of
/// them: it is there for the oldest that is missing, and then for the next.
extension ClientCore {
    /// Sees to it that somebody looks when the first answer is overdue.
    func watchAnswers() {
        guard answerCheck == nil, let patience = configuration.answerTimeout, let oldest = firstUnanswered else {
            return
        }
        let bound = NIOLoopBound(self, eventLoop: loop)
        answerCheck = loop.scheduleTask(
            deadline: max(oldest, readingSince) + TimeAmount.nanoseconds(patience.nanoseconds)
        ) {
            bound.value.checkAnswers(patience)
        }
    }

    /// Since when the oldest answer is missing.
    private var firstUnanswered: NIODeadline? {
        let asked = requests.values.filter(\.hasDeadline).map(\.sentAt)
        return (asked + [publications.unansweredSince].compactMap(\.self)).min()
    }

    private func checkAnswers(_ patience: Duration) {
        answerCheck = nil
        if handler?.isPaused == true { readingSince = loop.now }
        let limit = loop.now - TimeAmount.nanoseconds(patience.nanoseconds)
        if readingSince <= limit {
            publications.giveUp(sentUpTo: limit) { .unanswered("the publication to \($0.channel)", after: patience) }
            let overdue = requests.filter { $0.value.hasDeadline && $0.value.sentAt <= limit }
            for (id, request) in overdue {
                requests[id] = nil
                giveUp(request, after: patience)
            }
        }
        flush()
    }

    private func giveUp(_ request: Request, after patience: Duration) {
        switch request.kind {
        case .handshake: handler?.giveUp(.unanswered("the handshake", after: patience))
        case .connect, .disconnect: break
        case .subscribe(let group, let refusal):
            let channels = group.texts.joined(separator: ", ")
            end(group, refusal ?? ClientError.unanswered("the subscription to \(channels)", after: patience))
        case .unsubscribe(let texts, let promise): giveUp(unsubscribing: texts, promise)
        case .service(let channel, let promise):
            promise.fail(ClientError.unanswered("the request to \(channel)", after: patience))
        }
    }

    /// Reads on. What was not read may have been answers: they are waited for from now on.
    func readOn() {
        guard let handler, handler.isPaused else { return }
        handler.pause(false)
        readingSince = loop.now
    }
}
