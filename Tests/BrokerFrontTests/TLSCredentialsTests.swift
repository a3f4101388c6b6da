import BrokerFront
import Crypto
import Foundation
import SwiftASN1
import Testing
import X509

/// The files of TLS are read again when they have changed: those of all listeners where they
/// have, or of none.
@Suite("Certificates that have changed")
struct TLSCredentialsTests {
    /// A certificate and its key for each of two listeners, `a` and `b`.
    private final class Files {
        private let folder: TokenTests.Folder
        private var writeCount = 0.0
        let listeners: [ListenerOptions]

        init() throws {
            let folder = try TokenTests.Folder()
            self.folder = folder
            listeners = ["a", "b"].map { name in
                var files = TLSFiles()
                files.certificate = folder.url.appending(path: "\(name).pem").path
                files.key = folder.url.appending(path: "\(name).key").path
                return ListenerOptions(.tcp(host: "127.0.0.1", port: 0), name: name, tls: files)
            }
            try write("a", ending: 1)
            try write("b", ending: 1)
        }

        /// When the certificate of that number ends (s since 1970).
        static func end(_ number: Double) -> Double { 2_000_000_000 + number }

        /// A new pair, which is told from others by its end.
        func write(_ name: String, ending number: Double) throws {
            let key = P256.Signing.PrivateKey()
            let signer = Certificate.PrivateKey(key)
            let certificate = try Certificate(
                version: .v3, serialNumber: .init(), publicKey: signer.publicKey,
                notValidBefore: Date(timeIntervalSince1970: 1_600_000_000),
                notValidAfter: Date(timeIntervalSince1970: Self.end(number)),
                issuer: DistinguishedName { CommonName(name) }, subject: DistinguishedName { CommonName(name) },
                signatureAlgorithm: .ecdsaWithSHA256, extensions: Certificate.Extensions(), issuerPrivateKey: signer)
            try write(key.pemRepresentation, to: "\(name).key")
            try write(try certificate.serializeAsPEM().pemString, to: "\(name).pem")
        }

        /// A file that has changed, however soon behind the last time.
        func write(_ text: String, to name: String) throws {
            let path = try folder.write(text, to: name)
            writeCount += 1
            let date = Date(timeIntervalSince1970: 1_700_000_000 + writeCount)
            try FileManager.default.setAttributes([.modificationDate: date], ofItemAtPath: path)
        }

        func makeFolder(_ name: String) throws {
            try FileManager.default.createDirectory(atPath: path(name), withIntermediateDirectories: false)
        }

        /// Has a link lead to something beside it, and nowhere else any more.
        func link(_ name: String, to target: String) throws {
            try? FileManager.default.removeItem(atPath: path(name))
            try FileManager.default.createSymbolicLink(atPath: path(name), withDestinationPath: target)
        }

        func path(_ name: String) -> String { folder.url.appending(path: name).path }
    }

    /// What came of a look: the listeners, or what is wrong.
    private static func look(_ credentials: TLSCredentials, now: Double = 0) -> [String] {
        switch credentials.reloadChanged(now: now) {
        case .taken(let listeners): listeners
        case .refused(let faults, let heldBack): faults.map { "\($0.listener): \($0.error)" } + heldBack
        }
    }

    /// Which certificates are in use.
    private static func inUse(_ credentials: TLSCredentials) -> [String] {
        credentials.endings.map { "\($0.listener)\(Int($0.notAfter - Files.end(0)))" }
    }

    @Test("A new pair is taken, once, and nothing else is")
    func newPair() throws {
        let files = try Files()
        let credentials = try TLSCredentials(files.listeners)
        #expect(Self.look(credentials) == [])
        try files.write("b", ending: 2)
        #expect(Self.inUse(credentials) == ["a1", "b1"])
        #expect(Self.look(credentials) == ["b"])
        #expect(Self.inUse(credentials) == ["a1", "b2"])
        #expect(Self.look(credentials) == [])
    }

    @Test("One that will not do keeps those that changed with it from being taken, until it does")
    func allOrNothing() throws {
        let files = try Files()
        let credentials = try TLSCredentials(files.listeners)
        try files.write("no certificate", to: "b.pem")
        try files.write("a", ending: 2)
        let fault = "\(files.path("b.pem")): there is no certificate in it (PEM)"
        #expect(Self.look(credentials) == ["b: \(fault)", "a"])
        #expect(Self.look(credentials) == [], "it is said once")
        let error = #expect(throws: TLSError.self) { try credentials.reload(files.listeners) }
        #expect(error?.description == fault)
        #expect(Self.inUse(credentials) == ["a1", "b1"])
        // It changes, and still will not do: the other one is what it was.
        try files.write("none again", to: "b.pem")
        #expect(Self.look(credentials) == ["b: \(fault)", "a"])
        #expect(Self.inUse(credentials) == ["a1", "b1"])
        try files.write("b", ending: 4)
        #expect(Self.look(credentials) == ["a", "b"])
        #expect(Self.inUse(credentials) == ["a2", "b4"])
    }

    @Test("One that has gone does not keep what changes later from being taken, and is spoken of once in an hour")
    func laterChanges() throws {
        let files = try Files()
        let credentials = try TLSCredentials(files.listeners)
        try FileManager.default.removeItem(atPath: files.path("b.pem"))
        try files.write("a", ending: 2)
        let fault = "b: \(files.path("b.pem")): the file cannot be read"
        #expect(Self.look(credentials, now: 1_000_000) == [fault, "a"])
        #expect(Self.look(credentials, now: 1_003_599) == [])
        #expect(Self.look(credentials, now: 1_003_600) == [fault, "a"])
        #expect(Self.look(credentials, now: 1_003_601) == [])
        // What has changed with it was held back; what changes now is not.
        #expect(Self.inUse(credentials) == ["a1", "b1"])
        try files.write("a", ending: 3)
        #expect(Self.look(credentials, now: 1_007_200) == ["a"])
        #expect(Self.inUse(credentials) == ["a3", "b1"])
        #expect(Self.look(credentials, now: 1_007_201) == [fault])
        try files.write("b", ending: 4)
        #expect(Self.look(credentials, now: 1_020_000) == ["b"])
        #expect(Self.look(credentials, now: 1_030_000) == [])
        #expect(Self.inUse(credentials) == ["a3", "b4"])
    }

    @Test("Files behind a link to their folder are others when it leads to another one, however old those are")
    func links() throws {
        let files = try Files()
        for (number, version) in ["v1", "v2"].enumerated() {
            try files.makeFolder(version)
            try files.write(version + "/tls", ending: Double(number + 5))
        }
        let date = Date(timeIntervalSince1970: 1_700_000_000)
        for name in ["v1/tls.pem", "v1/tls.key", "v2/tls.pem", "v2/tls.key"] {
            try FileManager.default.setAttributes([.modificationDate: date], ofItemAtPath: files.path(name))
        }
        try files.link("data", to: "v1")
        for name in ["tls.pem", "tls.key"] { try files.link(name, to: "data/" + name) }
        var tls = TLSFiles()
        (tls.certificate, tls.key) = (files.path("tls.pem"), files.path("tls.key"))
        let credentials = try TLSCredentials([ListenerOptions(.tcp(host: "127.0.0.1", port: 0), name: "a", tls: tls)])
        #expect(Self.inUse(credentials) == ["a5"])
        #expect(Self.look(credentials) == [])
        try files.link("data", to: "v2")
        #expect(Self.look(credentials) == ["a"])
        #expect(Self.inUse(credentials) == ["a6"])
        #expect(Self.look(credentials) == [])
    }

    @Test("A pair that is written while it is looked at is taken when it is whole; every fault is told")
    func halves() throws {
        let files = try Files()
        let credentials = try TLSCredentials(files.listeners)
        try files.write(P256.Signing.PrivateKey().pemRepresentation, to: "a.key")
        try FileManager.default.removeItem(atPath: files.path("b.key"))
        #expect(
            Self.look(credentials) == [
                "a: \(files.path("a.key")): it is not the key of the certificate in \(files.path("a.pem"))",
                "b: \(files.path("b.key")): the file cannot be read",
            ])
        // What will not do and has not changed since holds back nobody else.
        try files.write("b", ending: 2)
        #expect(Self.look(credentials) == ["b"])
        #expect(Self.inUse(credentials) == ["a1", "b2"])
        try files.write("a", ending: 2)
        #expect(Self.look(credentials) == ["a"])
        #expect(Self.inUse(credentials) == ["a2", "b2"])
    }
}
