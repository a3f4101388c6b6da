import BrokerCore
import Driver

/// The frames of one publication, each made when the first connection of its form comes up.
struct FormFrames {
    /// What nearly every connection has.
    static let plain = WireForm.webSocket(.hybi)

    private var forms = [plain]
    private var frames: [FanOut.Frame?] = [nil]

    /// The number of a form: 0 for the plain one. There are few: one for each window size that clients may ask for.
    mutating func number(of form: WireForm) -> UInt8 {
        if let index = forms.firstIndex(of: form) { return UInt8(index) }
        // Any connection can take the plain form, so it will do for what is beyond the numbers.
        guard let number = UInt8(exactly: forms.count) else { return 0 }
        forms.append(form)
        frames.append(nil)
        return number
    }

    /// Whether a connection with the form of this number takes the frames of the hixie drafts.
    func isHixie(_ number: UInt8) -> Bool {
        number > 0 && forms[Int(number)] == .webSocket(.hixie)
    }

    /// Begins with another publication.
    mutating func begin() {
        for index in frames.indices { frames[index] = nil }
    }

    /// The publication's frame in the form of this number.
    mutating func frame(of number: UInt8, _ publication: Publication, in fanOut: inout FanOut) -> FanOut.Frame {
        if let frame = frames[Int(number)] { return frame }
        let frame: FanOut.Frame
        if number == 0 {
            let json = publication.json
            frame = fanOut.appendArray(of: json.span.bytes)
        } else {
            frame = fanOut.append(publication, as: forms[Int(number)])
        }
        frames[Int(number)] = frame
        return frame
    }
}
