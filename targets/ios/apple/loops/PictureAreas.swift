import Foundation

/// A class for every pixel.
public struct PictureMask: Sendable {
    /// Row by row, as they are counted in `labels`.
    public let classes: [UInt8]
    /// Of the mask: the picture's, at most 2048 a side.
    public let height, width: Int
    public let labels: [String]
    /// The share of the picture that each class has.
    public let shares: [Double]

    init(_ classes: [UInt8], height: Int, width: Int, labels: [String]) {
        (self.classes, self.height, self.width, self.labels) = (classes, height, width, labels)
        var counts = [Int](repeating: 0, count: 256)
        for kind in classes {
            counts[Int(kind)] += 1
        }
        shares = labels.indices.map { Double(counts[$0]) / Double(classes.count) }
    }

    /// The largest shares, for people: such as "person 61%, background 39%".
    var text: String {
        let order = shares.indices.sorted { shares[$0] != shares[$1] ? shares[$0] > shares[$1] : $0 < $1 }
        let largest = order.filter { shares[$0] >= 0.005 }
        return largest.map { "\(labels[$0]) \(String(format: "%.0f", shares[$0] * 100))%" }.joined(separator: ", ")
    }
}

/// A picture to a class for every pixel of it.
struct PictureAreas: TaskLoop {
    /// Most pixels of the answer's longer side: a larger picture gets the mask of its reduction.
    private static let longest = 2048.0

    private let network: any Graph
    private let input: String
    private let height, width: Int
    private let rule: Facts
    private let labels: [String]

    init(_ parts: [String: any Graph], _ description: Description) throws {
        guard let network = parts["network"], let input = try description.part("network").inputs.first else {
            throw ModelError.damaged("the network is missing")
        }
        (self.network, self.input) = (network, input.name)
        let facts = description.facts
        height = try facts.int("height")
        width = try facts.int("width")
        rule = facts.has("resize") ? try facts.object("resize") : Facts([:])
        labels = try facts.texts("labels")
    }

    func answer(_ golden: GoldenInput) async throws -> String {
        try await segment(Pixels(golden.input("pixels"))).text
    }

    /// The mask of a picture, as large as the picture, at most 2048 a side.
    func segment(_ picture: Pixels) async throws -> PictureMask {
        let placed = try PlacedPicture(picture, rule, height: height, width: width)
        try Task.checkCancellation()
        let pixels = Values(placed.pixels.rgb, [1, height, width, 3])
        let logits = try await network.run([input: pixels], giving: "logits")
        guard logits.shape.count == 4, max(2, logits.shape[3]) == labels.count else {
            throw ModelError.damaged("the network has other classes than labels")
        }
        return mask(try logits.floats(), logits.shape, placed)
    }

    /// The largest logit of each pixel, of one the sign: the picture's part of the input, bilinear at its size.
    private func mask(_ logits: [Float], _ shape: [Int], _ picture: PlacedPicture) -> PictureMask {
        let rows = shape[1], columns = shape[2], classes = shape[3]
        let share = min(1, Self.longest / Double(max(picture.width, picture.height)))
        let wide = max(1, Int((Double(picture.width) * share).rounded(.toNearestOrEven)))
        let high = max(1, Int((Double(picture.height) * share).rounded(.toNearestOrEven)))
        let left = picture.left * Double(columns), top = picture.top * Double(rows)
        let part = Plane.Part(
            left: Float(left), top: Float(top), right: Float(left + picture.across * Double(columns)),
            bottom: Float(top + picture.down * Double(rows)))
        var best = [UInt8](repeating: 0, count: high * wide)
        var most = [Float](repeating: classes == 1 ? 0 : -.infinity, count: high * wide)
        for kind in 0..<classes {
            let layer = Plane(
                values: (0..<rows * columns).map { logits[$0 * classes + kind] }, rows: rows, columns: columns)
            for (i, value) in layer.resized(part, rows: high, columns: wide).values.enumerated() where value > most[i] {
                most[i] = value
                best[i] = UInt8(classes == 1 ? 1 : kind)
            }
        }
        return PictureMask(best, height: high, width: wide, labels: labels)
    }
}
