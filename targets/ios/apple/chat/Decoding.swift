/// Tokens to text: a character may be split between two of them. What is no character becomes U+FFFD.
final class Decoding {
    private let piece: (String) -> Void
    private var left: [UInt8] = []
    private(set) var text = ""
    private(set) var tokens = 0

    /// - Parameter piece: takes whole characters as they come.
    init(_ piece: @escaping (String) -> Void) {
        self.piece = piece
    }

    func take(_ bytes: [UInt8]) {
        tokens += 1
        left += bytes
        let ready = left.count - Decoding.unfinished(left)
        if ready > 0 {
            let said = String(decoding: left.prefix(ready), as: UTF8.self)
            left.removeFirst(ready)
            text += said
            piece(said)
        }
    }

    /// What is left of a character that never came to its end; once is enough.
    func finish() {
        text += String(decoding: left, as: UTF8.self)
        left = []
    }

    /// Bytes at the end that may yet become a character.
    private static func unfinished(_ bytes: [UInt8]) -> Int {
        for back in 1...3 where back <= bytes.count {
            let lead = bytes[bytes.count - back]
            if lead & 0xC0 == 0x80 { continue }
            let length = lead >= 0xF0 && lead <= 0xF4 ? 4 : lead >= 0xE0 && lead < 0xF0 ? 3 : lead >= 0xC2 && lead < 0xE0 ? 2 : 1
            let second = back > 1 ? bytes[bytes.count - back + 1] : nil
            return back < length && fits(second, after: lead) ? back : 0
        }
        return 0
    }

    /// Whether a second byte may follow: some would make a longer form than need be, or half of a pair of UTF-16.
    private static func fits(_ second: UInt8?, after lead: UInt8) -> Bool {
        guard let second else { return true }
        switch lead {
        case 0xE0: return second >= 0xA0
        case 0xED: return second <= 0x9F
        case 0xF0: return second >= 0x90
        case 0xF4: return second <= 0x8F
        default: return true
        }
    }
}
