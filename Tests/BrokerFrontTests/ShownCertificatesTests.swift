import Crypto
import Foundation
import SwiftASN1
import Testing
import X509

@testable import BrokerFront

/// What certificates that were refused lack, in words.
@Suite("Certificates that a provider shows")
struct ShownCertificatesTests {
    private static let now = Date(timeIntervalSince1970: 1_700_000_000)

    /// Whose certificate, who has signed it, and from when to when it is good (s from now).
    private static func certificate(
        _ subject: String, by issuer: String, from start: Double = -100, to end: Double = 100,
        names: [GeneralName] = []
    ) throws -> Certificate {
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        return try Certificate(
            version: .v3, serialNumber: .init(), publicKey: key.publicKey, notValidBefore: now + start,
            notValidAfter: now + end, issuer: DistinguishedName { CommonName(issuer) },
            subject: DistinguishedName { CommonName(subject) }, signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions { SubjectAlternativeNames(names) }, issuerPrivateKey: key)
    }

    private static func fault(_ shown: [Certificate], authorities: [Certificate] = []) -> String? {
        ShownCertificates(certificates: shown).fault(authorities: authorities, now: now)
    }

    @Test("The first that has ended, or has not begun, is named")
    func times() throws {
        let own = try Self.certificate("own", by: "between")
        let ended = try Self.certificate("between", by: "root", to: -1)
        #expect(Self.fault([own, ended]) == "the certificate of CN=between ended on 2023-11-14T22:13:19.000Z")
        #expect(Self.fault([ended, own]) == "the certificate ended on 2023-11-14T22:13:19.000Z")
        let early = try Self.certificate("early", by: "root", from: 1)
        #expect(
            Self.fault([early])
                == "the certificate begins on 2023-11-14T22:13:21.000Z: is this machine's clock right?")
    }

    @Test("Who has signed is the one that the last of them names")
    func signers() throws {
        let shown = [try Self.certificate("own", by: "between"), try Self.certificate("between", by: "root")]
        let untrusted =
            "the certificate is signed by CN=root, whom neither the system nor auth.key-set-authority trusts"
        #expect(Self.fault(shown) == untrusted)
        #expect(Self.fault(shown, authorities: [try Self.certificate("between", by: "other")]) == untrusted)
        let ended = try Self.certificate("root", by: "root", to: -1)
        #expect(
            Self.fault(shown, authorities: [ended])
                == "the authority CN=root in auth.key-set-authority ended on 2023-11-14T22:13:19.000Z")
        let root = try Self.certificate("root", by: "root")
        let other = try #require(Self.fault(shown, authorities: [root]))
        #expect(other.hasPrefix("the certificate does not stand the check with the authority CN=root in "))
        #expect(Self.fault([]) == nil)
    }

    @Test("Names are those of hosts and addresses")
    func names() throws {
        let names: [GeneralName] = [
            .dnsName("a.example"), .rfc822Name("who@a.example"), .ipAddress(.init(contentBytes: [192, 0, 2, 7])),
            .ipAddress(.init(contentBytes: [0x20, 1, 0xD, 0xB8] + [UInt8](repeating: 0, count: 11) + [1])),
            .ipAddress(.init(contentBytes: [1, 2, 3])),
        ]
        let shown = ShownCertificates(certificates: [try Self.certificate("a", by: "b", names: names)])
        #expect(shown.names == ["a.example", "192.0.2.7", "2001:db8::1"])
        #expect(ShownCertificates(certificates: [try Self.certificate("a", by: "b")]).names == [])
    }

    @Test("What a stranger writes cannot steer a terminal, nor fill the log")
    func control() throws {
        let text = try #require(
            Self.fault([try Self.certificate("a", by: "\u{1B}[2J\n" + String(repeating: "x", count: 10_000))]))
        #expect(text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control })
        #expect(text.contains("?[2J?xxx") && text.utf8.count < 400)
    }
}
