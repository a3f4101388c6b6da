import FuzzSupport

@testable import FrontParsers

@main
enum FuzzTarget {
    static func main() { runFuzzer { fuzzTarget($0, $1) } }
}

/// Targets of requests, forms, and the names of functions that scripts call.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzTarget(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let bytes = input.rest()
    let text = String(decoding: bytes, as: UTF8.self)
    let target = RequestTarget(text)
    require(!target.path.contains("?"), "the query is no part of the path")
    if target.isBelow("/bayeux") { require(target.path.hasPrefix("/bayeux"), "what is below begins alike") }
    for (name, value) in target.query {
        require(name.utf8.count + value.utf8.count <= 3 * text.utf8.count, "decoding does not let it grow")
        if let callback = JSONPCallback(parameter: value) {
            let allowed = callback.name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "_"), UInt8(ascii: "$"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
            require(allowed && callback.name.utf8.count <= JSONPCallback.maximumBytes, "a function has a name")
            let script = callback.script(calling: bytes)
            require(script.starts(with: "/**/\(callback.name)(".utf8), "a script begins like one")
        }
    }
    require(FormField.decode(bytes, plusIsSpace: true).count <= bytes.count, "decoding does not let it grow")
    _ = FormField.first("message", in: bytes)
    return 0
}
