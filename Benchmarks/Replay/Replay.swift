/// What is done with a whole capture.
enum Replay {
    /// Plays the inputs; the file again, with what really came of them.
    static func record(_ capture: Capture) throws(CaptureError) -> [String] {
        let player = Player()
        var lines: [String] = []
        for (index, line) in capture.lines.enumerated() {
            switch line.line {
            case .input(let input):
                lines.append(line.text)
                do throws(LineError) {
                    lines += try player.play(input)
                } catch {
                    throw CaptureError(index + 1, error.description)
                }
            case .other: lines.append(line.text)
            case .expectation: break
            }
        }
        return lines
    }

    /// The first line that is not what really came, if any.
    static func difference(_ capture: Capture) throws(CaptureError) -> CaptureError? {
        let (expected, recorded) = (capture.lines.map(\.text), try record(capture))
        for (index, (left, right)) in zip(expected, recorded).enumerated() where left != right {
            return CaptureError(index + 1, "expected \(left), got \(right)")
        }
        guard expected.count != recorded.count else { return nil }
        let index = min(expected.count, recorded.count)
        return CaptureError(
            index + 1,
            expected.count > index ? "nothing came of it: \(expected[index])" : "also came: \(recorded[index])")
    }

    /// What all of the peer's bytes bring, whole lines and byte by byte; nil if it is the same.
    static func splitDifference(_ capture: Capture) throws(CaptureError) -> String? {
        let (whole, split) = (try outcome(capture, split: false), try outcome(capture, split: true))
        return whole == split ? nil : "in one piece \(whole), byte by byte \(split)"
    }

    private struct Outcome: Equatable, CustomStringConvertible {
        var output = ""
        var events: [String] = []

        var description: String { "\(events.joined(separator: " ")) > \(output)" }
    }

    private static func outcome(_ capture: Capture, split: Bool) throws(CaptureError) -> Outcome {
        let player = Player()
        var outcome = Outcome()
        for (index, line) in capture.lines.enumerated() {
            guard case .input(let input) = line.line else { continue }
            var inputs = [input]
            if split, case .peer(let bytes) = input { inputs = bytes.map { .peer([$0]) } }
            for input in inputs {
                do throws(LineError) {
                    for result in try player.play(input) {
                        if result.hasPrefix("> ") {
                            outcome.output += result.dropFirst(2)
                        } else {
                            outcome.events.append(result)
                        }
                    }
                } catch {
                    throw CaptureError(index + 1, error.description)
                }
            }
        }
        return outcome
    }
}
