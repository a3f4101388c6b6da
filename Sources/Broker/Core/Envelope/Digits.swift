extension UInt8 {
    /// Whether it is a decimal digit of ASCII.
    @inline(__always)
    package var isDecimalDigit: Bool { self &- UInt8(ascii: "0") < 10 }

    /// The value of a decimal digit of ASCII.
    package var decimalDigit: UInt8? { isDecimalDigit ? self - UInt8(ascii: "0") : nil }

    /// The value of a hexadecimal digit of ASCII.
    package var hexDigit: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
