let report = Report(prefix: CommandLine.arguments.dropFirst().first)
let sizes = [("128 B", 128), ("4 KiB", 4096), ("1 MiB", 1 << 20)]

for (title, bytes) in sizes {
    for (cut, chunkBytes) in [("reads of 64 KiB", 65536), ("a read each", nil)] {
        let stream = Stream(payload: Wire.text(byteCount: bytes), chunkBytes: chunkBytes)
        report.add(
            Workload(
                title: "receive \(title), \(cut)", operations: stream.messageCount,
                expected: stream.messageCount * bytes, payloadBytes: bytes,
                contenders: [Ours.receiving(stream), NIOPeer.receiving(stream), WslayPeer.receiving(stream)]))
    }
}
let accented = Stream(payload: Wire.accentedText(byteCount: 4096), chunkBytes: 65536)
report.add(
    Workload(
        title: "receive 4 KiB, not all ASCII", operations: accented.messageCount,
        expected: accented.messageCount * 4096, payloadBytes: 4096,
        contenders: [Ours.receiving(accented), NIOPeer.receiving(accented), WslayPeer.receiving(accented)]))
for (title, bytes) in sizes {
    let payload = Wire.text(byteCount: bytes)
    let count = max(1, 131_072 / bytes)
    report.add(
        Workload(
            title: "send \(title)", operations: count, expected: count * (Wire.headerBytes(bytes) + bytes),
            payloadBytes: bytes,
            contenders: [
                Ours.sending(payload, count: count), NIOPeer.sending(payload, count: count),
                WslayPeer.sending(payload, count: count),
            ]))
}
for (title, bytes) in sizes.dropLast() {
    let payload = Wire.json(byteCount: bytes)
    let count = max(1, 131_072 / bytes)
    report.add(
        Workload(
            title: "receive deflated \(title)", operations: count, expected: count * bytes, payloadBytes: bytes,
            contenders: [Deflated.receiving(payload, count: count)]))
    report.add(
        Workload(
            title: "send deflated \(title)", operations: count, expected: count, payloadBytes: bytes,
            contenders: [Deflated.sending(payload, count: count)]))
}
report.add(
    Workload(
        title: "handshake", operations: 100, expected: 100, payloadBytes: 0,
        contenders: [Ours.handshaking(count: 100), NIOPeer.handshaking(count: 100)]))

report.add(IdleMemory.self)
