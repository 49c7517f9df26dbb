import Foundation

/// A picture to labels, from RGB pixels of any size to a ranking.
struct ImageClassifier: TaskLoop {
    private let network: any Graph
    private let input, output: Description.Spec
    private let height, width: Int
    /// "resize" of the bundle's facts.
    private let filter: Resample.Filter
    private let shortSide: Int?
    private let size: [Int]?
    private let crop: String?
    private let labels: [String]
    private let softmax: Bool

    init(_ parts: [String: any Graph], _ description: Description) throws {
        guard let network = parts["network"] else { throw ModelError.damaged("the network is missing") }
        self.network = network
        let part = try description.part("network"), facts = description.facts
        guard let input = part.inputs.first, let output = part.outputs.first, input.type == "uint8", output.type == "float32"
        else { throw ModelError.damaged("the network does not take pixels and give scores") }
        (self.input, self.output) = (input, output)
        height = try facts.int("height")
        width = try facts.int("width")
        let rule = facts.has("resize") ? try facts.object("resize") : Facts([:])
        shortSide = rule.has("short_side") ? try rule.int("short_side") : nil
        size = rule.has("size") ? try rule.ints("size") : nil
        crop = rule.has("crop") ? try rule.text("crop") : nil
        let kind = rule.has("filter") ? try rule.text("filter") : shortSide == nil ? "bilinear" : "bicubic"
        filter = kind == "bicubic" ? .bicubic : .bilinear
        labels = try facts.texts("labels")
        softmax = (try? facts.text("activation")) == "softmax"
    }

    func answer(_ golden: GoldenInput) async throws -> String {
        try await classify(Pixels(golden.input("pixels")), top: 1)[0].label
    }

    /// The most probable labels first.
    ///
    /// - Parameter top: how many to tell; all where there are fewer.
    func classify(_ pixels: Pixels, top: Int) async throws -> [Ranked] {
        try Ranked.best(top, of: await scores(fitted(pixels)), labels)
    }

    /// Pixels of the network's own size.
    func fitted(_ pixels: Pixels) -> Pixels {
        let high = pixels.height, wide = pixels.width
        if high == height && wide == width {
            return pixels
        }
        guard let shortSide else {
            let whole = size ?? (crop == nil ? [height, width] : nil)
            return middle(whole.map { Resample.resize(pixels, height: $0[0], width: $0[1], filter) } ?? pixels)
        }
        // Of a picture that is longer than 8 times its width, only the middle is made larger.
        if max(wide, high) > 8 * min(wide, high) {
            let newWide = min(wide, 4 * high), newHigh = min(high, 4 * wide)
            return fitted(
                pixels.cropped(
                    top: (high - newHigh) / 2, left: (wide - newWide) / 2, height: newHigh, width: newWide))
        }
        let newWide = wide <= high ? shortSide : shortSide * wide / high
        let newHigh = wide <= high ? shortSide * high / wide : shortSide
        return middle(Resample.resize(pixels, height: newHigh, width: newWide, filter))
    }

    /// The middle of a picture, halves rounded down where the rule says so, else to even.
    private func middle(_ pixels: Pixels) -> Pixels {
        let rounding: FloatingPointRoundingRule = crop == "center, down" ? .down : .toNearestOrEven
        let left = Int((Double(pixels.width - width) / 2).rounded(rounding))
        let top = Int((Double(pixels.height - height) / 2).rounded(rounding))
        return pixels.cropped(top: top, left: left, height: height, width: width)
    }

    private func scores(_ pixels: Pixels) async throws -> [Float] {
        let made = try await network.run([input.name: Values(pixels.rgb, [1, height, width, 3])], giving: output.name)
        return softmax ? Numbers.softmax(try made.floats()) : try made.floats()
    }
}
