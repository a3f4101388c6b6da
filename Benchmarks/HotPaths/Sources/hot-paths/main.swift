// Does one thing that the broker does for every message again and again: hot-paths NUMBER COUNT. Prints how often memory
// was asked for, for each. Without arguments it prints the names. check.py counts the instructions.
//
// With `growth` before them, NUMBER and SIZE: reads what a stranger sends, of that size, once.

import CAllocations

let isGrowth = CommandLine.arguments.contains("growth")
let arguments = CommandLine.arguments.compactMap { Int($0) }
switch (isGrowth, arguments.count) {
case (true, 2):
    Growth.all[arguments[0]].make(arguments[1])()
case (true, _):
    for growth in Growth.all { print(growth.name) }
case (false, 2):
    let body = try Scenario.all[arguments[0]].make()
    // Buffers grow to their size.
    for _ in 0..<10 { body() }
    let before = allocations_count()
    for _ in 0..<arguments[1] { body() }
    print(Double(allocations_count() - before) / Double(arguments[1]))
case (false, _):
    for scenario in Scenario.all { print(scenario.name) }
}
