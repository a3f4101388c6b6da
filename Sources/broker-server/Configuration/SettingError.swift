/// A value that cannot be taken, or a key that does not exist.
struct SettingError: Error, CustomStringConvertible {
    let description: String

    /// The key cannot have that value; `expected` goes on after "is not".
    static func unfit(_ value: String, for key: String, _ expected: String) -> Self {
        Self(description: "\(key): \(value) is not \(expected)")
    }

    /// There is no such key; names the one of `names` that was probably meant.
    static func unknown(_ key: String, among names: [String] = Setting.names) -> Self {
        Self(description: "unknown key \"\(key)\"" + hint(key, among: names))
    }

    /// There is no such variable; names the one that was probably meant.
    static func unknownVariable(_ variable: String, among names: [String]) -> Self {
        // The prefix is the same for all, and says nothing of how alike two names are.
        let prefix = "FANFARE_"
        let rests = names.map { String($0.dropFirst(prefix.count)) }
        return Self(
            description: "unknown variable \(variable)"
                + hint(String(variable.dropFirst(prefix.count)), among: rests, prefix: prefix))
    }

    private static func hint(_ key: String, among names: [String], prefix: String = "") -> String {
        let nearest = names.map { (name: $0, distance: distance($0, key)) }.min { $0.distance < $1.distance }
        guard let nearest, nearest.distance <= max(2, key.count / 3) else { return "" }
        return ", did you mean \"\(prefix)\(nearest.name)\"?"
    }

    /// How many characters must be added, left out or replaced to get from one to the other (Levenshtein).
    private static func distance(_ left: String, _ right: String) -> Int {
        let right = Array(right)
        var row = Array(0...right.count)
        for (index, character) in left.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in right.indices {
                let replaced = diagonal + (right[column] == character ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(replaced, row[column] + 1, row[column + 1] + 1)
            }
        }
        return row[right.count]
    }
}
