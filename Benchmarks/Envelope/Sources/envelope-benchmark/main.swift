// What reading a Bayeux batch costs: the scanner, and FoundationEssentials' JSONDecoder on the same texts.

import BrokerCore
import FoundationEssentials

/// The envelope as a decoder wants it; `data` of the texts below is an object of strings and numbers.
struct Message: Decodable {
    struct Payload: Decodable {
        let user: String
        let text: String
        let number: Double
    }
    let channel: String
    let id: String
    let clientId: String
    let data: Payload
}

/// One publish whose JSON has so many bytes.
func publish(bytes: Int) -> String {
    let start =
        #"{"channel":"/chat/room-42","id":"1a2","clientId":"a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p","data":{"user":"ada","number":17.5,"text":""#
    let end = "\"}}"
    return start + String(repeating: "x", count: max(0, bytes - start.utf8.count - end.utf8.count)) + end
}

func workload(_ title: String, _ text: String, messages: Int) -> Workload {
    let bytes = Array(text.utf8)
    let data = Data(bytes)
    let scanner = EnvelopeScanner(limits: EnvelopeLimits())
    let operations = max(1, 20_000 / bytes.count)
    var batch: [Envelope] = []
    let decoder = JSONDecoder()
    return Workload(
        title: title, operations: operations, expected: operations * messages, payloadBytes: bytes.count,
        contenders: [
            Contender(name: "scanner") {
                var found = 0
                for _ in 0..<operations {
                    guard (try? scanner.scan(bytes.span.bytes, into: &batch)) != nil else { return -1 }
                    found += batch.count
                }
                return found
            },
            Contender(name: "scanner, UTF-8 unchecked before") {
                var found = 0
                for _ in 0..<operations {
                    guard (try? scanner.scan(validatingUTF8: bytes.span.bytes, into: &batch)) != nil else { return -1 }
                    found += batch.count
                }
                return found
            },
            Contender(name: "JSONDecoder") {
                var found = 0
                for _ in 0..<operations {
                    found += (try? decoder.decode([Message].self, from: data))?.count ?? -1
                }
                return found
            },
        ])
}

let workloads = [
    workload("publish of 200 bytes", "[" + publish(bytes: 198) + "]", messages: 1),
    workload("publish of 1 KiB", "[" + publish(bytes: 1022) + "]", messages: 1),
    workload("publish of 16 KiB", "[" + publish(bytes: 16_382) + "]", messages: 1),
    workload(
        "batch of 100 publishes", "[" + Array(repeating: publish(bytes: 200), count: 100).joined(separator: ",") + "]",
        messages: 100),
]
print("| batch | scanner | scanner with UTF-8 | JSONDecoder | allocations | JSONDecoder takes |")
print("|---|--:|--:|--:|--:|--:|")
for workload in workloads {
    let costs = workload.measure()
    func nanoseconds(_ index: Int) -> String { "\(Int(costs[index].nanoseconds.rounded())) ns" }
    let ratio = Int((costs[2].nanoseconds / costs[0].nanoseconds).rounded())
    print(
        "| \(workload.title) | \(nanoseconds(0)) | \(nanoseconds(1)) | \(nanoseconds(2)) | \(costs[0].allocations) | × \(ratio) |"
    )
}
