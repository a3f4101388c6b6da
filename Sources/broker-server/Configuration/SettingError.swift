/// A value that cannot be taken, or a key that does not exist.
struct SettingError: Error, CustomStringConvertible {
    let description: String

    /// The key cannot have that value; `expected` goes on after "is not".
    static func unfit(_ value: String, for key: String, _ expected: String) -> Self {
        Self(description: "\(key): \(value) is not \(expected)")
    }

    /// There is no such key; names the one of `names` that was probably meant, or its group.
    static func unknown(_ key: String, among names: [String] = Setting.names) -> Self {
        Self(description: "unknown key \"\(key)\"" + hint(ofKey: key, among: names))
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

    /// Of all names only those that could stand in the key's place: in a group its keys, and outside groups and what is in
    /// none.
    private static func hint(ofKey key: String, among names: [String]) -> String {
        guard let dot = key.firstIndex(of: ".") else {
            return hint(key, among: names.map { name in String(name.prefix { $0 != "." }) })
        }
        let group = String(key[...dot])
        let members = names.filter { $0.hasPrefix(group) }.map { String($0.dropFirst(group.count)) }
        // Written as a whole with a group that there is not, it can be any.
        if members.isEmpty { return hint(key, among: names) }
        return hint(String(key.dropFirst(group.count)), among: members, prefix: group)
    }

    /// The name that is nearest, if it is near: one in three characters may be wrong, of fewer than six one.
    private static func hint(_ key: String, among names: [String], prefix: String = "") -> String {
        let near = names.map { (name: $0, distance: distance($0, key)) }.filter {
            $0.distance <= max(1, max($0.name.count, key.count) / 3)
        }
        guard let nearest = near.min(by: { $0.distance < $1.distance }) else { return "" }
        return ", did you mean \"\(prefix)\(nearest.name)\"?"
    }

    /// How many characters must be added, left out, replaced, or swapped with their neighbour, to get from one to the other
    /// (optimal string alignment).
    private static func distance(_ left: String, _ right: String) -> Int {
        let (left, right) = (Array(left), Array(right))
        var (before, last) = ([Int](), Array(0...right.count))
        for row in left.indices {
            var next = [row + 1]
            for column in right.indices {
                let replaced = last[column] + (left[row] == right[column] ? 0 : 1)
                var least = min(replaced, last[column + 1] + 1, next[column] + 1)
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    least = min(least, before[column - 1] + 1)
                }
                next.append(least)
            }
            (before, last) = (last, next)
        }
        return last[right.count]
    }
}
