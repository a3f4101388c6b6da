import Testing

@testable import BrokerCore

@Suite("A value that is seldom there")
struct OptionalBoxTests {
    @Test("It is there, is changed in its place, and goes")
    func comesAndGoes() {
        var box = OptionalBox<[Int]>()
        box.value?.append(1)
        #expect(box.value == nil)
        box.value = [2]
        box.value?.append(3)
        #expect(box.value == [2, 3])
        let before = box.value?.withUnsafeBufferPointer(\.baseAddress)
        box.value?[0] = 4
        #expect(box.value?.withUnsafeBufferPointer(\.baseAddress) == before)
        box.value = nil
        #expect(box.value == nil)
    }

    @Test("Copies are values of their own")
    func copies() {
        var box = OptionalBox<[Int]>()
        box.value = [1]
        var copy = box
        copy.value?.append(2)
        #expect(box.value == [1] && copy.value == [1, 2])
        copy.value = nil
        #expect(box.value == [1])
    }

    @Test("What is not there takes a word")
    func size() {
        #expect(MemoryLayout<OptionalBox<[(Int, Int, Int)?]>>.size == MemoryLayout<Int>.size)
    }
}
