import BrokerCore
import Testing

/// What is asked of the texts of strangers before they are compared as texts.
@Suite("Marks")
struct MarksTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let text: String
        var isPlain = false
        var hasTooMany = false
    }

    private static func marks(_ count: Int) -> String {
        String(repeating: "\u{301}\u{323}", count: count / 2) + String(repeating: "\u{301}", count: count % 2)
    }

    static let rows = [
        Row(testDescription: "nothing", text: "", isPlain: true),
        Row(testDescription: "ASCII", text: "\u{0}az~\u{7f}", isPlain: true),
        Row(testDescription: "a letter that is not", text: "az\u{80}"),
        Row(testDescription: "as many as may be", text: "a" + marks(30) + "e" + marks(30)),
        Row(testDescription: "one more", text: "a" + marks(31) + "e", hasTooMany: true),
        Row(testDescription: "no letter before them", text: marks(31), hasTooMany: true),
        Row(testDescription: "at the end", text: String(repeating: "\u{e9}", count: 99) + marks(31), hasTooMany: true),
        // One by itself is not put in order, but stands for two that are.
        Row(testDescription: "Tibetan vowels", text: String(repeating: "\u{f73}", count: 31), hasTooMany: true),
        Row(testDescription: "letters alone", text: String(repeating: "\u{ac00}", count: 1000)),
    ]

    @Test(arguments: rows)
    func texts(row: Row) {
        #expect(row.text.isPlain == row.isPlain)
        #expect(row.text.hasTooManyMarks == row.hasTooMany)
    }

    @Test("Compared as bytes")
    func sameness() {
        #expect("K".isSame(as: "K") && "".isSame(as: ""))
        #expect(!"K".isSame(as: "\u{212A}") && !"K".isSame(as: "k") && !"K".isSame(as: "KK"))
        #expect(!"".isSame(as: nil))
    }
}
