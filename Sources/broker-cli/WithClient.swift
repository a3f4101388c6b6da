import FanfareClient

/// Runs `body` with a client that is connected, and closes that behind it, whatever comes of it.
@discardableResult
func withClient<Value>(
    _ configuration: ClientConfiguration, _ body: (BayeuxClient) async throws -> Value
) async throws -> Value {
    let client = try BayeuxClient(configuration)
    do {
        try await client.connect()
        let value = try await body(client)
        await client.close()
        return value
    } catch {
        await client.close()
        throw error
    }
}
