import Foundation

/// A picture to labelled boxes: fit, run, keep what is sure enough, and of boxes of one thing the best.
struct BoxDetector: TaskLoop {
    private let network: any Graph
    private let input: String
    private let height, width: Int
    private let rule: Facts
    private let labels: [String]
    private let softmax: Bool
    private let overlap: Double
    /// The least score that counts, by default.
    let threshold: Double

    init(_ parts: [String: any Graph], _ description: Description) throws {
        try self.init(parts, description, part: "network", description.facts)
    }

    /// - Parameters:
    ///   - part: its name.
    ///   - facts: of the bundle, or "detector" of them.
    init(_ parts: [String: any Graph], _ description: Description, part: String, _ facts: Facts) throws {
        guard let network = parts[part], let input = try description.part(part).inputs.first else {
            throw ModelError.damaged("the part \(part) is missing")
        }
        (self.network, self.input) = (network, input.name)
        height = try facts.int("height")
        width = try facts.int("width")
        rule = facts.has("resize") ? try facts.object("resize") : Facts([:])
        labels = try facts.texts("labels")
        softmax = try facts.text("activation") == "softmax"
        overlap = try facts.double("overlap")
        threshold = try facts.double("threshold")
    }

    func answer(_ golden: GoldenInput) async throws -> String {
        DetectedObject.text(try await detect(Pixels(golden.input("pixels")), threshold: threshold))
    }

    /// What is in a picture, best first.
    func detect(_ picture: Pixels, threshold: Double) async throws -> [DetectedObject] {
        let placed = try PlacedPicture(picture, rule, height: height, width: width)
        try Task.checkCancellation()
        let made = try await network.run([input: Values(placed.pixels.rgb, [1, height, width, 3])])
        return DetectedObject.kept(try objects(made, placed, threshold), overlap: overlap)
    }

    /// All that are sure enough and have an area, label by label.
    private func objects(
        _ made: [String: any Tensor], _ picture: PlacedPicture, _ threshold: Double
    ) throws -> [[DetectedObject]] {
        guard let shares = try made["boxes"]?.floats(), let logits = try made["logits"]?.floats(), !shares.isEmpty else {
            throw ModelError.damaged("the network gives no boxes")
        }
        let points = try made["points"]?.floats() ?? []
        let count = shares.count / 4, classes = logits.count / count, numbers = points.count / count
        guard classes >= labels.count else { throw ModelError.damaged("the network has other classes than labels") }
        var objects = labels.map { _ in [DetectedObject]() }
        for i in 0..<count {
            let scores = scores(logits[i * classes..<(i + 1) * classes])
            let best = labels.indices.reduce(0) { scores[$1] > scores[$0] ? $1 : $0 }
            let from = picture.back(shares[4 * i], shares[4 * i + 1])
            let to = picture.back(shares[4 * i + 2], shares[4 * i + 3])
            let topLeft = cut(from, picture), bottomRight = cut(to, picture)
            if scores[best] >= threshold && bottomRight.x > topLeft.x && bottomRight.y > topLeft.y {
                let places = stride(from: i * numbers, to: (i + 1) * numbers, by: 2).map {
                    picture.back(points[$0], points[$0 + 1])
                }
                objects[best].append(
                    DetectedObject(
                        label: labels[best], score: scores[best], topLeft: topLeft, bottomRight: bottomRight, points: places,
                        whole: (from, to)))
            }
        }
        return objects
    }

    private func cut(_ point: PicturePoint, _ picture: PlacedPicture) -> PicturePoint {
        PicturePoint(
            x: max(0, min(Double(picture.width), point.x)), y: max(0, min(Double(picture.height), point.y)))
    }

    /// Probabilities of the labels.
    private func scores(_ logits: ArraySlice<Float>) -> [Double] {
        let logits = logits.map(Double.init)
        guard softmax else { return logits.map { 1 / (1 + exp(-max(-100, min(100, $0)))) } }
        let top = logits.max() ?? 0
        let odds = logits.map { exp($0 - top) }
        let sum = odds.reduce(0, +)
        return odds.map { $0 / sum }
    }
}
