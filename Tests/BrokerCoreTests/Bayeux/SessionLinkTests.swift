import Testing

@testable import BrokerCore

/// The states of a link, built from the outside, and compared without consuming them.
private enum Snapshot: Equatable, Sendable, CaseIterable {
    case away, polling, attached, holding

    static let socket = ConnectionID(loop: 0, slot: 1)
    static let otherSocket = ConnectionID(loop: 1, slot: 1)
    static let poll = HeldConnect(
        peer: Peer(connection: ConnectionID(loop: 0, slot: 2), kind: .exchange), isPoll: true, id: "1", deadline: 100
    )
    static let sign = HeldConnect(
        peer: Peer(connection: socket, kind: .socket), isPoll: false, id: "2", deadline: 200)

    func make() -> SessionLink {
        switch self {
        case .away: .away
        case .polling: .polling(Self.poll)
        case .attached: .attached(Self.socket)
        case .holding: .holding(Self.sign)
        }
    }

    /// The connect that is held in this state, the socket that is bound.
    var held: HeldConnect? {
        switch self {
        case .polling: Self.poll
        case .holding: Self.sign
        case .away, .attached: nil
        }
    }
    var bound: ConnectionID? { self == .attached || self == .holding ? Self.socket : nil }
}

/// What a link holds and where it writes, found by releasing it.
private func contents(_ link: consuming SessionLink) -> (held: HeldConnect?, socket: ConnectionID?) {
    link.release()
}

/// A connect in a state: what is done, and what is held and bound afterwards.
private struct ConnectRow: Sendable, CustomStringConvertible {
    let state: Snapshot
    let connect: HeldConnect
    let mustAnswer: Bool
    let action: SessionLink.ConnectAction
    let heldAfter: HeldConnect?
    let socketAfter: ConnectionID?

    var description: String { "\(state), \(connect.peer.kind), must answer: \(mustAnswer)" }
}

@Suite("How a session is reached")
struct SessionLinkTests {
    private static let newPoll = HeldConnect(
        peer: Peer(connection: ConnectionID(loop: 0, slot: 3), kind: .exchange), isPoll: true, id: "3", deadline: 300
    )
    private static let sameSocket = HeldConnect(
        peer: Peer(connection: Snapshot.socket, kind: .socket), isPoll: false, id: "4", deadline: 400)
    private static let newSocket = HeldConnect(
        peer: Peer(connection: Snapshot.otherSocket, kind: .socket), isPoll: false, id: "5", deadline: 500)

    private static func action(
        older: HeldConnect? = nil, detach: ConnectionID? = nil, attach: ConnectionID? = nil, answer: Bool
    ) -> SessionLink.ConnectAction {
        var action = SessionLink.ConnectAction()
        action.answerOlder = older
        action.detach = detach
        action.attach = attach
        action.answer = answer
        return action
    }

    private static let rows: [ConnectRow] = Snapshot.allCases.flatMap { state in
        [false, true].flatMap { mustAnswer in
            [
                ConnectRow(
                    state: state, connect: newPoll, mustAnswer: mustAnswer,
                    action: action(older: state.held, detach: state.bound, answer: mustAnswer),
                    heldAfter: mustAnswer ? nil : newPoll, socketAfter: nil),
                ConnectRow(
                    state: state, connect: newSocket, mustAnswer: mustAnswer,
                    action: action(
                        older: state.held, detach: state.bound, attach: Snapshot.otherSocket, answer: true),
                    heldAfter: nil, socketAfter: Snapshot.otherSocket),
                ConnectRow(
                    state: state, connect: sameSocket, mustAnswer: mustAnswer,
                    action: action(
                        older: state.held, attach: state.bound == nil ? Snapshot.socket : nil,
                        answer: mustAnswer || state.bound == nil),
                    heldAfter: mustAnswer || state.bound == nil ? nil : sameSocket, socketAfter: Snapshot.socket),
            ]
        }
    }

    @Test("A connect in every state", arguments: rows)
    private func connect(row: ConnectRow) {
        var link = row.state.make()
        let action = link.receiveConnect(row.connect, mustAnswer: row.mustAnswer)
        #expect(action == row.action)
        #expect(link.deadline == row.heldAfter?.deadline)
        let after = contents(link)
        #expect(after.held == row.heldAfter)
        #expect(after.socket == row.socketAfter)
    }

    @Test("A message takes a held poll, and nothing else", arguments: Snapshot.allCases)
    private func takePoll(state: Snapshot) {
        var link = state.make()
        let taken = link.takePoll()
        #expect(taken == (state == .polling ? Snapshot.poll : nil))
        let after = contents(link)
        #expect(after.held == (state == .holding ? Snapshot.sign : nil))
        #expect(after.socket == state.bound)
    }

    @Test("Time before the deadline changes nothing", arguments: Snapshot.allCases)
    private func early(state: Snapshot) {
        var link = state.make()
        let answered = link.advance(to: (state.held?.deadline ?? 1) - 1)
        #expect(answered == nil)
        let after = contents(link)
        #expect(after.held == state.held)
        #expect(after.socket == state.bound)
    }

    @Test("At the deadline what is held comes out, and the socket stays bound", arguments: Snapshot.allCases)
    private func late(state: Snapshot) {
        var link = state.make()
        let answered = link.advance(to: state.held?.deadline ?? .max)
        #expect(answered == state.held)
        #expect(link.deadline == nil)
        let after = contents(link)
        #expect(after.held == nil)
        #expect(after.socket == state.bound)
    }

    @Test("The session's own connection goes", arguments: Snapshot.allCases)
    private func ownClose(state: Snapshot) {
        var link = state.make()
        let own = state == .polling ? Snapshot.poll.peer.connection : Snapshot.socket
        let wasOwn = link.receiveClose(of: own)
        #expect(wasOwn == (state != .away))
        let after = contents(link)
        #expect(after.held == nil)
        #expect(after.socket == nil)
    }

    @Test("Another connection goes", arguments: Snapshot.allCases)
    private func otherClose(state: Snapshot) {
        var link = state.make()
        let wasOwn = link.receiveClose(of: Snapshot.otherSocket)
        #expect(!wasOwn)
        let after = contents(link)
        #expect(after.held == state.held)
        #expect(after.socket == state.bound)
    }

    @Test("Releasing hands out what is held and bound, once", arguments: Snapshot.allCases)
    private func release(state: Snapshot) {
        var link = state.make()
        let first = link.release()
        #expect(first.held == state.held)
        #expect(first.socket == state.bound)
        #expect(link.deadline == nil)
        let second = contents(link)
        #expect(second.held == nil)
        #expect(second.socket == nil)
    }
}
