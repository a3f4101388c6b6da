import Testing

@testable import BrokerCore

@Suite("A dictionary in parts")
struct PartedDictionaryTests {
    /// Beside a plain dictionary, in which the same is done.
    @Test(arguments: [1 as UInt64, 2, 3])
    func doesWhatADictionaryDoes(seed: UInt64) {
        var (plain, parted) = ([Int: Int](), PartedDictionary<Int, Int>())
        var state = seed
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        for step in 0..<20_000 {
            // It grows, and shrinks to nothing in the end.
            let (key, removes) = (next(700), next(20_000) < step || step > 15_000)
            switch (removes, next(2)) {
            case (true, 0):
                plain[key] = nil
                parted[key] = nil
            case (true, _): #expect(parted.removeValue(forKey: key) == plain.removeValue(forKey: key))
            case (false, 0): #expect(parted.updateValue(step, forKey: key) == plain.updateValue(step, forKey: key))
            case (false, _):
                plain[key, default: 0] += step
                parted[key, default: 0] += step
            }
            #expect(parted[key] == plain[key])
            #expect(parted.count == plain.count && parted.isEmpty == plain.isEmpty)
        }
        #expect(parted.isEmpty || parted.count == Array(parted).count)
    }
}
