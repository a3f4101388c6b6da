import Support
import Testing

@testable import Driver

/// Masks against a loop over single bytes.
@Suite struct MaskingTests {
    @Test func `masks as the naive loop does, at every length, alignment and phase`() {
        var generator = SeededGenerator(seed: 42)
        for count in Array(0...140) + [1000, 4097] {
            for shift in 0..<8 {
                let payload = generator.bytes(shift + count)
                let isASCII = Bool.random(using: &generator)
                let source = isASCII ? payload.map { $0 & 0x7F } : payload
                let keyBytes = generator.bytes(4).map { isASCII ? $0 & 0x7F : $0 }
                let key = keyBytes.withUnsafeBytes { MaskingKey(reading: $0.baseAddress.unsafelyUnwrapped) }
                let expected = source[shift...].enumerated().map { $1 ^ keyBytes[($0 + shift) % 4] }
                var result = [UInt8](repeating: 0, count: count + 1)
                let reported = source.withUnsafeBytes { source in
                    result.withUnsafeMutableBytes { result in
                        key.advanced(by: shift).apply(
                            from: source.baseAddress.unsafelyUnwrapped + shift,
                            to: result.baseAddress.unsafelyUnwrapped, count: count)
                    }
                }
                #expect(Array(result.dropLast()) == expected)
                #expect(result.last == 0)
                #expect(reported == expected.allSatisfy { $0 < 0x80 })
            }
        }
    }

    /// One byte that is not ASCII, at each place.
    @Test func `sees every byte that is not ASCII`() {
        let key = MaskingKey(littleEndian: 0)
        for count in [1, 7, 8, 31, 32, 33, 71] {
            for place in 0..<count {
                var bytes = [UInt8](repeating: 0x41, count: count)
                bytes[place] = 0x80
                let isASCII = bytes.withUnsafeMutableBytes { buffer in
                    let base = buffer.baseAddress.unsafelyUnwrapped
                    return key.apply(from: base, to: base, count: buffer.count)
                }
                #expect(!isASCII)
            }
        }
    }
}

/// The validator for text in pieces against `String`.
@Suite struct UTF8ValidatorTests {
    /// What would be said of the bytes as a whole text, and as the start of one.
    private func judge(_ bytes: [UInt8]) -> (isValid: Bool, isStart: Bool) {
        let isValid = String(validating: bytes, as: UTF8.self) != nil
        // A start is one that some continuation of at most three bytes completes.
        let endings: [[UInt8]] = [
            [], [0x80], [0xBF], [0x90], [0xA0], [0x80, 0x80], [0xA0, 0x80], [0x90, 0x80], [0x80, 0x80, 0x80],
            [0x90, 0x80, 0x80],
        ]
        return (isValid, endings.contains { String(validating: bytes + $0, as: UTF8.self) != nil })
    }

    private func accepts(_ pieces: [[UInt8]]) -> (isValid: Bool, isStart: Bool) {
        var validator = UTF8Validator()
        for piece in pieces {
            guard piece.withUnsafeBytes({ validator.accept($0) }) else { return (false, false) }
        }
        return (validator.isComplete, true)
    }

    @Test func `all sequences of two bytes, and of three and four at the borders`() {
        let borders: [UInt8] = [
            0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF,
            0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
        ]
        var sequences = (0...255).flatMap { first in (0...255).map { [UInt8(first), UInt8($0)] } }
        for first in borders {
            for second in borders {
                for third in borders { sequences.append([first, second, third]) }
            }
        }
        for first in borders where first >= 0xF0 {
            for second in borders {
                for third in borders where third >= 0x80 { sequences.append([first, second, third, 0x80]) }
            }
        }
        var differences: [[UInt8]] = []
        for bytes in sequences {
            let expected = judge(bytes)
            if accepts([bytes]) != expected || accepts(bytes.map { [$0] }) != expected { differences.append(bytes) }
        }
        #expect(differences == [])
    }

    @Test func `random texts, damaged and cut at random`() {
        var generator = SeededGenerator(seed: 7)
        let alphabet: [Character] = [
            "a", "é", "€", "😀", "\u{7FF}", "\u{800}", "\u{FFFF}", "\u{10FFFF}", "\u{D7FF}", "\u{E000}",
        ]
        var invalid = 0
        for _ in 0..<3000 {
            let text = String(
                (0..<Int.random(in: 0...60, using: &generator)).map { _ in
                    alphabet[Int.random(in: 0..<alphabet.count, using: &generator)]
                })
            var bytes = Array(text.utf8)
            if !bytes.isEmpty, Bool.random(using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            var pieces: [[UInt8]] = []
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = Int.random(in: 1...min(20, rest.count), using: &generator)
                pieces.append(Array(rest.prefix(count)))
                rest = rest.dropFirst(count)
            }
            let isValid = String(validating: bytes, as: UTF8.self) != nil
            if !isValid { invalid += 1 }
            #expect(accepts(pieces).isValid == isValid)
            #expect(bytes.withUnsafeBytes { UTF8Validator.isValid($0) } == isValid)
        }
        #expect(invalid > 500)
    }
}
