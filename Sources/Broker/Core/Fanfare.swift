/// What all parts of Fanfare have in common.
package enum Fanfare {
    /// The version, of the broker, the programs and the clients.
    package static let version = "0.1.0"
}
