import Driver
import FuzzSupport

@main
enum FuzzHead {
    static func main() { runFuzzer { fuzzHead($0, $1) } }
}

/// The heads of requests, for a server, and of responses, for a client.
///
/// Choices: flags (client, one event at a time, late answer, silence instead of an end, few versions), and limits.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzHead(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let flags = input.flags()
    var plan = Plan()
    plan.mayRepair = true
    plan.options.maximumMessageBytes = 4096
    plan.options.subprotocols = ["a", "bayeux"]
    plan.stepsEvents = flags[1]
    plan.startsLate = flags[2]
    plan.timesOut = flags[3]
    plan.options.versions = flags[4] ? .modern : .all
    if flags[5] { plan.extensions = [PermessageDeflate()] }
    let limits = input.flags()
    if limits[0] { plan.options.maximumHeadBytes = 256 }
    if limits[1] { plan.options.maximumHeaderCount = 4 }
    // A late answer only: otherwise how much is kept depends on how the owner's reads were cut.
    if limits[2], flags[2] { plan.options.maximumQueuedBytes = 16 }
    plan.stream = input.rest()
    if flags[0] {
        compareSplits { plan.runClient($0) }
    } else {
        compareSplits { split in
            let outcome = plan.runServer(split)
            require(outcome.output.isEmpty || isWellFormedAnswer(outcome.output), "an answer is HTTP")
            return outcome
        }
    }
    return 0
}
