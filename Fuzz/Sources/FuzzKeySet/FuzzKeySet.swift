import BrokerCore
import Foundation
import FuzzSupport
import JWTKit

@testable import KeyParsers

@main
enum FuzzKeySet {
    static func main() { runFuzzer { fuzzKeySet($0, $1) } }
}

/// What the address of a set of keys has answered: an error, or keys for signatures. Each takes or refuses a token, and a
/// good one takes its own, whatever stands beside it.
///
/// Choices: a byte whose first three bits say which of the known keys stand in front of what follows, in a set; without
/// them what follows is the whole answer.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzKeySet(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let flags = input.flags()
    let bytes = input.rest()
    let members = known.indices.filter { flags[$0] }.map { known[$0].member }
    var answer: [UInt8] = []
    if members.isEmpty {
        answer = bytes
    } else {
        answer += #"{"keys":["#.utf8
        answer += members.joined(separator: ",").utf8
        if !bytes.isEmpty { answer.append(UInt8(ascii: ",")) }
        answer += bytes
        answer += "]}".utf8
    }
    if let found = keys(in: answer) { check(found, of: answer) }
    return 0
}

private let source: TokenKeySource = {
    guard let source = TokenKeySource("https://login.example/keys") else { fatalError("a good address is one") }
    return source
}()

private let executor = InlineExecutor()

private func keys(in answer: [UInt8]) -> TokenKeys.Answer? {
    executor.run { try? await TokenKeys.keys(inAnswer: Data(answer), from: source) }
}

private func check(_ found: TokenKeys.Answer, of answer: [UInt8]) {
    require(!found.keys.isEmpty && found.keys.count <= 64, "there are keys, and not too many")
    require(found.keys.count + found.passedOver.count <= answer.count, "what is read was there")
    for key in found.keys {
        require(["RS256", "ES256", "EdDSA"].contains(key.algorithm.name), "a set has no secrets")
        require(key.issuer == nil, "an answer does not say for whom its keys speak")
    }
    let verifier = TokenVerifier(keys: TokenKeys(found.keys), options: TokenVerifier.Options())
    for key in known {
        let isThere = found.keys.contains { $0.identity == key.identity }
        guard let principal = try? verifier.verify(key.token, wall: now).get() else {
            require(!isThere, "a good key takes its token")
            continue
        }
        let taker = found.keys.first { $0.identity == principal.key }
        require(principal.subject == "alice" && taker?.algorithm.name == key.algorithm, "a key is for one algorithm")
    }
    for token in forgeries {
        require((try? verifier.verify(token, wall: now).get()) == nil, "what no key has signed is refused")
    }
}

/// Before the tokens end (ms since 1970).
private let now: Int64 = 1_700_000_000_000

/// `{"sub":"alice","exp":1700000060}`.
private let claims = "eyJzdWIiOiJhbGljZSIsImV4cCI6MTcwMDAwMDA2MH0"

/// A token with an empty secret, and one without a signature.
private let forgeries = [
    "eyJhbGciOiJIUzI1NiJ9.\(claims).nJ2dVrO6lkwcGcDrYE6PCTiVKCHUuhpAK-OOP9DOuMA",
    "eyJhbGciOiJub25lIn0.\(claims).",
]

/// A key that was made for this, and a token that it has signed.
private struct Known {
    let algorithm: String
    let member: String
    let token: String
    let identity: TokenKeyIdentity

    init(algorithm: String, member: String, signature: String) {
        self.algorithm = algorithm
        self.member = member
        let header = Data(#"{"alg":"\#(algorithm)"}"#.utf8).base64EncodedString().prefix { $0 != "=" }
        token = "\(header).\(claims).\(signature)"
        guard let key = keys(in: Array(member.utf8))?.keys.first else { fatalError("A good key cannot be read") }
        identity = key.identity
    }
}

private let known = [
    Known(
        algorithm: "RS256",
        member: #"{"kty":"RSA","n":"j__1k89EjUooKPmuw8TuMVrAnAdwxe49tnwqebVacPZVoq-4LaAc-q9orzZEl63ERyqpoeN1"#
            + #"CDw6dOcOdI-6V1Swk6UGhbXLkMVqthwZ1VqtaYGqVPVvUAizhzcraLDJK_bcM0ydH-Ow0yjB89fjviGryC7kcSEv5N"#
            + #"mQfug52egXLmkg7UTpaNPdYQxY8finQPQenwTtPpd0pLWJadEWrY3_AYycTpDLYnAj_O_lr7PgKZMH8G-JM-65xy33"#
            + #"plkX6mAvWss8mj6IGAizevuKJWNvQK-00aHc4xfnElkQjnhBHVa5zZpKw8inNIgPrt_1q7_SBNqz2svEtAAIziCmvQ"#
            + #"","e":"AQAB"}"#,
        signature: "OCRx_kyXg13Q0h-lnPS1YB60Esd2suPH4FgZcnUzpJ6Zw29SdqePFMlrXonjTKU4ZPbr6SBYXB55Q-nRDs5J5VsvfxI1OI6Y"
            + "U_vkQ_KtrrGsLGGf_dO_2tU3f6kqaa4LOf_cA2QOLndkHhp-2OFvoBa0JYq8z6qNTswjcoIDcp3DZMYflet7b6LWUX0u1bt1"
            + "xRYInJvmnpDmqxt8YGeCnx33QbLHFdlQ4gElpeGeqXU0K2kY-trNqpp_v73GY-Oc6gpWn4LLnEJ7-jx77VhGV8dz95jXit9K"
            + "q7SJqOWgZJdp6REMLB-kVy4s4dQMXl1deMgRJJCPFnjZFck84G3JJg"),
    Known(
        algorithm: "ES256",
        member: #"{"kty":"EC","crv":"P-256","x":"Fcp_sPIZJYcMUDUCA7RA-JBG1x0fjnVg_RXLa0988CU","y":"6jWOepJnP"#
            + #"DsyvCvNwdtnnSy4dKyAlpxtYjav_iAsH4I"}"#,
        signature: "ssT19lZpncVbPpNp49tC-in-vAtcVvh5RFnydJ0pZOfwC4U5U_OkglFmocwJTAaYaSjoSJt6fPS7_vPe0ASThQ"),
    Known(
        algorithm: "EdDSA",
        member: #"{"kty":"OKP","crv":"Ed25519","x":"fuWCJbdTWQBPZc5hP43OglHYgRoLG4-bBC8jTDjf2MA"}"#,
        signature: "GBj4guFB7TjqpctY4KwkwM6ThG4_q5Bpoh5WDW-rEqoPe1jfIFia9m3mTzfFnNv5tD4RFka-k434_KPxmHvOAg"),
]
