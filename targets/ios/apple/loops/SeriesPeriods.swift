import Foundation

/// Which periods a series has, and what it would be if it only repeated itself: the normalised periodogram's peaks that
/// noise alone would hardly make, as TinyCast does it (arXiv:2608.15767).
enum SeriesPeriods {
    /// The strongest periods, in steps, the strongest first; 0 for each that is missing.
    ///
    /// - Parameters:
    ///   - values: without gaps.
    ///   - rule: "most" periods; "least", the shortest; "alpha", the chance with which noise may make a peak.
    static func strongest(_ values: [Float], _ rule: Facts) throws -> [Int] {
        let most = try rule.int("most"), least = max(2, try rule.int("least")), alpha = try rule.double("alpha")
        let shares = shares(values), length = values.count, longest = max(2, length / 2)
        let threshold = log(Double(shares.count) / alpha) / Double(shares.count)
        let from = max(1, length / longest - 1), to = min(shares.count - 2, length / least - 1)
        guard from <= to else { return Array(repeating: 0, count: most) }
        let peaks = (from...to).filter {
            shares[$0] > shares[$0 - 1] && shares[$0] > shares[$0 + 1] && shares[$0] >= threshold
        }
        let best = peaks.sorted { shares[$0] != shares[$1] ? shares[$0] > shares[$1] : $0 < $1 }.prefix(most)
        let periods = best.map { Int((Float(length) / Float($0 + 1)).rounded(.toNearestOrEven)) }
        return periods + Array(repeating: 0, count: most - periods.count)
    }

    /// The shares of the power that each frequency from 1 on has.
    private static func shares(_ values: [Float]) -> [Double] {
        let length = values.count
        let mean = Double(Float(values.reduce(0) { $0 + Double($1) / Double(length) }))
        let centred = values.map { Double($0) - mean }
        let turns = (0..<length).map { cos(2 * Double.pi * Double($0) / Double(length)) }
        let power = (1...length / 2).map { frequency -> Double in
            var real = 0.0, imaginary = 0.0, angle = 0
            for value in centred {
                real += value * turns[angle]
                imaginary += value * turns[(angle + length / 4) % length]
                angle = (angle + frequency) % length
            }
            return real * real + imaginary * imaginary
        }
        let total = max(power.reduce(0, +), 1e-12)
        return power.map { $0 / total }
    }

    /// Sine and cosine of where in each period a step is; zeros for a period of 0.
    static func phases(_ step: Int, _ periods: [Int]) -> [Float] {
        periods.flatMap { period -> [Float] in
            guard period > 0 else { return [0, 0] }
            let angle = Float(2 * Double.pi) * Float(step) / Float(period)
            return [Float(sin(Double(angle))), Float(cos(Double(angle)))]
        }
    }

    /// What comes next if the series repeats itself: for each of `steps` the mean of what was observed in its part of the
    /// period. A part without any has the mean of all.
    ///
    /// - Parameter bins: parts of a period, which is of one step at least.
    static func folded(_ values: [Float], _ observed: [Bool], period: Int, steps: Int, bins: Int) -> [Float] {
        var totals = [Double](repeating: 0, count: bins), counts = totals, total = 0.0, count = 0.0
        for (i, value) in values.enumerated() where observed[i] {
            let part = part(i, period, bins)
            totals[part] += Double(value)
            counts[part] += 1
            total += Double(value)
            count += 1
        }
        return (0..<steps).map {
            let part = part(values.count + $0, period, bins)
            return Float(counts[part] > 0 ? totals[part] / counts[part] : total / max(1, count))
        }
    }

    private static func part(_ step: Int, _ period: Int, _ bins: Int) -> Int {
        let whole = Float(max(1, period))
        return min(Int(Float(step).truncatingRemainder(dividingBy: whole) / whole * Float(bins)), bins - 1)
    }
}
