import Foundation

/// What comes next.
public struct Forecast: Sendable {
    /// Of the quantiles, ascending, 0.5 (the median) among them.
    public let levels: [Double]
    /// For each step a row of as many numbers.
    public let quantiles: [[Double]]

    /// The median of each step.
    public var median: [Double] { quantiles.map { $0[levels.firstIndex(of: 0.5)!] } }

    /// For people.
    var text: String {
        String(format: "%d steps: the median goes from %.5g to %.5g", quantiles.count, median.first!, median.last!)
    }
}

/// From the past of a series to quantiles of its next steps.
struct SeriesForecast: TaskLoop {
    /// Least range of a series by which it is divided; steps of a forecast at most.
    private static let leastRange = 1e-5, longest = 1000

    private let network: any Graph
    private let periods: Facts
    private let context, observed, middle, bins: Int
    private let levels: [Double]
    /// Steps of a forecast by default: the network's own.
    let horizon: Int

    init(_ parts: [String: any Graph], _ description: Description) throws {
        let facts = description.facts
        levels = try (facts.value("levels") as [NSNumber]).map(\.doubleValue)
        guard let network = parts["network"], let middle = levels.firstIndex(of: 0.5) else {
            throw ModelError.damaged("the network or its median is missing")
        }
        (self.network, self.middle) = (network, middle)
        periods = try facts.object("periods")
        bins = try periods.int("bins")
        context = try facts.int("context")
        horizon = try facts.int("horizon")
        observed = try facts.int("observed")
    }

    func answer(_ golden: GoldenInput) async throws -> String {
        try await forecast(golden.input("numbers").floats().map(Double.init), steps: horizon).text
    }

    /// Quantiles of each of the next steps.
    ///
    /// - Parameters:
    ///   - series: of which a gap is not a number (NaN or infinite); of a long one the end is used.
    ///   - steps: of the forecast: beyond the network's own the medians are taken for observed.
    /// - Throws: `ModelError.badInput`: too few steps that are not gaps, or no sound number of steps.
    func forecast(_ series: [Double], steps: Int) async throws -> Forecast {
        guard (1...Self.longest).contains(steps) else {
            throw ModelError.badInput("a forecast has from 1 to \(Self.longest) steps, not \(steps)")
        }
        var past = series.suffix(context), made: [[Double]] = []
        while made.count < steps {
            try Task.checkCancellation()
            let rows = try await block(past.map(Float.init))
            made += rows
            past = (past + rows.map { $0[middle] }).suffix(context)
        }
        return Forecast(levels: levels, quantiles: Array(made.prefix(steps)))
    }

    /// The network's own steps.
    private func block(_ past: [Float]) async throws -> [[Double]] {
        let known = past.filter(\.isFinite)
        guard known.count >= observed, let low = known.min(), let high = known.max() else {
            throw ModelError.badInput(
                "the series has \(known.count) steps that are not gaps; a forecast needs \(observed) at least")
        }
        let span = max(Double(high) - Double(low), Self.leastRange)
        let before = context - past.count
        let mask = Array(repeating: false, count: before) + past.map(\.isFinite)
        let values = Array(repeating: 0, count: before) + past.map { $0.isFinite ? ($0 - low) / Float(span) : 0 }
        let quantiles = try await network.run(feeds(values, mask), giving: "quantiles").floats()
        guard quantiles.count == horizon * levels.count else {
            throw ModelError.damaged("the network gives other quantiles")
        }
        return (0..<horizon).map { step in
            levels.indices.map { Double(quantiles[step * levels.count + $0]) * span + Double(low) }
        }
    }

    private func feeds(_ values: [Float], _ mask: [Bool]) throws -> [String: any Tensor] {
        let known = zip(values, mask).filter(\.1).map { Double($0.0) }
        let mean = Float(known.reduce(0, +) / Double(known.count))
        let chosen = try SeriesPeriods.strongest(zip(values, mask).map { $1 ? $0 : mean }, periods)
        let features = values.indices.flatMap { step -> [Float] in
            [values[step], mask[step] ? 1 : 0] + SeriesPeriods.phases(step, chosen)
        }
        let fill = SeriesPeriods.folded(values, mask, period: chosen.first ?? 0, steps: horizon, bins: bins)
        return [
            "features": Values(features, [1, context, features.count / context]), "fill": Values(fill, [1, horizon]),
        ]
    }
}
