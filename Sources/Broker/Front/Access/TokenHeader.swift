/// What counts of a token's header (RFC 7515 §4.1).
///
/// jwt-kit reads all that is in it, before any signature was looked at, and ends the program at a whole number that does
/// not fit into an `Int`.
struct TokenHeader: Decodable {
    /// The algorithm that it says it is signed with.
    let alg: String?
    /// The name of the key that it says it is signed with.
    let kid: String?
    /// Whether it names extensions that must be understood.
    let isCritical: Bool

    private enum CodingKeys: CodingKey {
        case alg, kid, crit
    }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        alg = try fields.decodeIfPresent(String.self, forKey: .alg)
        kid = try fields.decodeIfPresent(String.self, forKey: .kid)
        isCritical = fields.contains(.crit)
    }
}
