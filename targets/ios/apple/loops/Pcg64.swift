import Foundation

/// The random numbers of numpy's default_rng(seed), bit for bit: a seed gives the same samples as on the machine that the
/// model was tested on. PCG XSL RR 128/64 (O'Neill 2014), seeded by numpy's SeedSequence.
struct Pcg64 {
    private static let multiplier: (high: UInt64, low: UInt64) = (0x2360_ed05_1fc6_5da4, 0x4385_df64_9fcc_f645)
    private var high: UInt64 = 0
    private var low: UInt64 = 0
    private let increase: (high: UInt64, low: UInt64)

    /// The upper half of a number whose lower half was drawn.
    private var half: UInt32?

    /// - Parameter seed: a number, or up to four of a sequence.
    init(_ seed: [UInt32]) {
        let words = Pcg64.words(Pcg64.pool(seed))
        let state = (0..<4).map { UInt64(words[2 * $0]) | UInt64(words[2 * $0 + 1]) << 32 }
        increase = (state[2] << 1 | state[3] >> 63, state[3] << 1 | 1)
        step()
        add((state[0], state[1]))
        step()
    }

    /// In [0, 1).
    mutating func uniform() -> Double { Double(bits() >> 11) * 0x1p-53 }

    /// 32 random bits; of 64 the lower half comes first.
    mutating func word() -> UInt32 {
        if let drawn = half {
            half = nil
            return drawn
        }
        let drawn = bits()
        half = UInt32(drawn >> 32)
        return UInt32(truncatingIfNeeded: drawn)
    }

    private mutating func bits() -> UInt64 {
        step()
        let turn = high >> 58, mixed = high ^ low
        return mixed >> turn | mixed << ((64 - turn) & 63)
    }

    /// Of the standard Gumbel distribution.
    mutating func gumbel() -> Double {
        while true {
            let share = 1 - uniform()
            if share < 1 {
                return -log(-log(share))
            }
        }
    }

    private mutating func step() {
        let product = low.multipliedFullWidth(by: Pcg64.multiplier.low)
        high = product.high &+ high &* Pcg64.multiplier.low &+ low &* Pcg64.multiplier.high
        low = product.low
        add(increase)
    }

    private mutating func add(_ other: (high: UInt64, low: UInt64)) {
        let sum = low.addingReportingOverflow(other.low)
        low = sum.partialValue
        high = high &+ other.high &+ (sum.overflow ? 1 : 0)
    }

    private static func pool(_ seed: [UInt32]) -> [UInt32] {
        var hash: UInt32 = 0x43b0_d7e5
        var pool = (0..<4).map { hashed($0 < seed.count ? seed[$0] : 0, &hash, 0x931e_8875) }
        for from in 0..<4 {
            for to in 0..<4 where from != to {
                let mixed = 0xca01_f9dd &* pool[to] &- 0x4973_f715 &* hashed(pool[from], &hash, 0x931e_8875)
                pool[to] = mixed ^ mixed >> 16
            }
        }
        return pool
    }

    private static func words(_ pool: [UInt32]) -> [UInt32] {
        var hash: UInt32 = 0x8b51_f9dd
        return (0..<8).map { hashed(pool[$0 % 4], &hash, 0x58f3_8ded) }
    }

    private static func hashed(_ value: UInt32, _ hash: inout UInt32, _ multiplier: UInt32) -> UInt32 {
        var mixed = value ^ hash
        hash = hash &* multiplier
        mixed = mixed &* hash
        return mixed ^ mixed >> 16
    }
}
