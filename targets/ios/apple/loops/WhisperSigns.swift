import Foundation
import EdgekitModelZip

/// Signs that a decoded window is wrong.
enum WhisperSigns {
    private static let ratio = 2.4

    /// Whether text compresses so well that it must repeat itself.
    static func repetitive(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard !bytes.isEmpty else { return false }
        var size = compressBound(UInt(bytes.count))
        var packed = [UInt8](repeating: 0, count: Int(size))
        guard compress(&packed, &size, bytes, UInt(bytes.count)) == 0 else { return false }
        return Double(bytes.count) / Double(size) > ratio
    }

    /// Whether a result ends by saying the same twice, the typical failure of a window that is too short. People do
    /// repeat themselves, so this sends a window back to the encoder but never to sampling.
    static func echoes(_ tokens: [Int]) -> Bool {
        guard tokens.count >= 6 else { return false }
        return (3...tokens.count / 2).contains { tokens.suffix($0).elementsEqual(tokens.dropLast($0).suffix($0)) }
    }
}
