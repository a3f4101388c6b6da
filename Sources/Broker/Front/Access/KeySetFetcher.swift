import AsyncHTTPClient
import BrokerCore
import Foundation
import NIOCore
import NIOHTTP1

/// Asks an address for a set of keys: one answer with status 200, of a limited size, within a limited time.
///
/// It runs on threads of its own, not on the broker's event loops. The certificate of an `https` address must be one
/// that the system or one of `authorities` trusts. Nothing is followed elsewhere: the address that is configured is the
/// one that is trusted.
struct KeySetFetcher: Sendable {
    /// From the first packet to the last byte.
    let deadline: Duration
    /// Of the answer.
    let maximumBytes: Int
    /// Beside those that the system trusts.
    var authorities = KeySetAuthorities()

    /// What the address answers.
    func fetch(_ address: String) async throws(TokenKeyError) -> Data {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.httpVersion = .http1Only
        configuration.tlsConfiguration = authorities.configuration
        // Who waits hears at once that nobody is there; the set is fetched again anyway.
        configuration.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(eventLoopGroup: HTTPClient.defaultEventLoopGroup, configuration: configuration)
        let result: Result<Data, TokenKeyError>
        do {
            result = .success(try await fetch(address, with: client))
        } catch let problem as TokenKeyProblem {
            result = .failure(TokenKeyError(place: address, reason: problem.reason))
        } catch is NIOTooManyBytesError {
            result = .failure(TokenKeyError(place: address, reason: "the answer has more than \(maximumBytes) bytes"))
        } catch {
            let failure = KeySetFailure(address: address, authorities: authorities, limit: deadline)
            result = .failure(TokenKeyError(place: address, reason: await failure.reason(of: error)))
        }
        try? await client.shutdown()
        return try result.get()
    }

    /// The library has a deadline for the head of the answer only; this one holds for all of it.
    private func fetch(_ address: String, with client: HTTPClient) async throws -> Data {
        try await withThrowingTaskGroup(of: Data?.self) { group in
            group.addTask { try await ask(address, client) }
            group.addTask {
                try await Task.sleep(for: deadline)
                return nil
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let bytes = first else {
                throw TokenKeyProblem("no whole answer came within \(deadline)")
            }
            return bytes
        }
    }

    private func ask(_ address: String, _ client: HTTPClient) async throws -> Data {
        var request = HTTPClientRequest(url: address)
        request.headers.add(name: "Accept", value: "application/jwk-set+json, application/json")
        request.headers.add(name: "User-Agent", value: "fanfare/\(Fanfare.version)")
        let response = try await client.execute(request, deadline: .distantFuture)
        guard response.status == .ok else {
            let answer = "the answer is \(response.status.code) \(response.status.reasonPhrase)"
            let isElsewhere = (300..<400).contains(response.status.code) && response.headers.contains(name: "Location")
            throw TokenKeyProblem(isElsewhere ? answer + ", and redirections are not followed" : answer)
        }
        return Data(try await response.body.collect(upTo: maximumBytes).readableBytesView)
    }
}
