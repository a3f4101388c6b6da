package import JWTKit

extension TokenClaims: JWTPayload {
    /// Nothing: what is asked of the claims depends on the configuration, and is asked by `TokenVerifier`.
    package func verify(using algorithm: some JWTAlgorithm) {}
}
