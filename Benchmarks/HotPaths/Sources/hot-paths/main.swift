// Does one thing that the broker does for every message again and again: hot-paths NUMBER COUNT. Prints how often memory
// was asked for, for each. Without arguments it prints the names. check.py counts the instructions.

import CAllocations

let arguments = CommandLine.arguments.dropFirst().compactMap { Int($0) }
if arguments.count == 2 {
    let body = try Scenario.all[arguments[0]].make()
    // Buffers grow to their size.
    for _ in 0..<10 { body() }
    let before = allocations_count()
    for _ in 0..<arguments[1] { body() }
    print(Double(allocations_count() - before) / Double(arguments[1]))
} else {
    for scenario in Scenario.all { print(scenario.name) }
}
