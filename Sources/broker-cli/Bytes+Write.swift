import Foundation

extension [UInt8] {
    /// Writes all bytes to a file, at once; the error's number (`errno`) if that fails.
    func write(to descriptor: CInt) -> CInt? {
        var offset = 0
        while offset < count {
            let written = withUnsafeBytes {
                Foundation.write(descriptor, $0.baseAddress.map { $0 + offset }, $0.count - offset)
            }
            if written > 0 {
                offset += written
            } else if errno != EINTR {
                return errno
            }
        }
        return nil
    }
}
