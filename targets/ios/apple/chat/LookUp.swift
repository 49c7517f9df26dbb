/// Prompt look-up decoding: what follows now has often followed before (Saxena 2023). The rule is that of edgekit's Python
/// and of the Gradle module.
struct LookUp {
    /// Most guesses at a time, and the endings that are looked up, in tokens, the longest first.
    private static let most = 8, endings = [4, 3, 2]
    /// Prompt and answer so far.
    private(set) var tokens: [Int32]

    init(_ prompt: [Int32]) { tokens = prompt }

    mutating func add(_ more: some Sequence<Int32>) { tokens += more }

    /// The next token, which is not added yet, and at most `most` that followed the last earlier place with the same
    /// ending.
    func guessed(_ token: Int32, most: Int) -> [Int32] {
        let said = tokens + [token]
        for length in LookUp.endings where said.count > length {
            if let from = LookUp.followed(said, length) {
                return [token] + said[from...].prefix(max(0, min(most, LookUp.most)))
            }
        }
        return [token]
    }

    /// Where what followed the last earlier place with the same last `length` tokens begins.
    private static func followed(_ said: [Int32], _ length: Int) -> Int? {
        let ending = said.suffix(length)
        return said.indices.dropLast(length).last { said[$0..<$0 + length].elementsEqual(ending) }.map { $0 + length }
    }
}
