import Foundation

/// The past of a series to quantiles of its next steps. Calls may come from any task: they are answered one at a time.
public final class Forecaster: @unchecked Sendable {
    // Unchecked, for graphs and loops are not Sendable: they are touched by one turn at a time only.
    private let files: ModelFiles
    private let parts: [String: any Graph]
    private let loop: SeriesForecast
    private let turns = Turns()

    init(_ files: ModelFiles, parts: [String: any Graph]) throws {
        self.files = files
        self.parts = parts
        loop = try SeriesForecast(parts, files.description)
    }

    /// Steps of a forecast by default.
    public var horizon: Int { loop.horizon }

    /// Quantiles of the next steps.
    ///
    /// - Parameters:
    ///   - series: of which a gap is NaN; of a long one the end is used.
    ///   - steps: nil: `horizon`. Beyond it the medians are taken for observed; 1000 at most.
    /// - Throws: `ModelError`, `CancellationError`.
    public func forecast(_ series: [Double], steps: Int? = nil) async throws -> Forecast {
        try await turns.take { [self] in try await loop.forecast(series, steps: steps ?? loop.horizon) }
    }

    /// Does this device compute what the fp32 reference computed? Once after an installation is enough.
    public func selfTest() async throws -> SelfTestReport {
        try await turns.take { [self] in
            let series = try files.goldenInput().floats().map(Double.init)
            return try await SelfTest.run(parts, files.goldenReference(), files.description) { watched in
                let loop = try SeriesForecast(watched, files.description)
                return try await loop.forecast(series, steps: loop.horizon).text
            }
        }
    }
}
