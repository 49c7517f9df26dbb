import Foundation

/// The past of a series to quantiles of its next steps. Calls may come from any task: they are answered one at a time.
public final class Forecaster: Sendable {
    private let model: Opened<SeriesForecast>

    init(_ files: ModelFiles, parts: [String: any Graph]) throws {
        model = try Opened(files, parts)
    }

    /// Steps of a forecast by default.
    public var horizon: Int { model.loop.horizon }

    /// Quantiles of the next steps.
    ///
    /// - Parameters:
    ///   - series: of which a gap is NaN; of a long one the end is used.
    ///   - steps: nil: `horizon`. Beyond it the medians are taken for observed; 1000 at most.
    /// - Throws: `ModelError`, `CancellationError`.
    public func forecast(_ series: [Double], steps: Int? = nil) async throws -> Forecast {
        try await model.use { loop in try await loop.forecast(series, steps: steps ?? loop.horizon) }
    }

    /// Does this device compute what the fp32 reference computed? Once after an installation is enough.
    public func selfTest() async throws -> SelfTestReport { try await model.selfTest() }
}
