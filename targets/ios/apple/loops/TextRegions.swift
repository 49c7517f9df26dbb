import Foundation

/// From a map of chances that a pixel is text to rectangles around lines of text (Liao et al. 2020, arXiv:1911.08947).
struct TextRegions {
    /// Rectangles with a shorter side, in pixels of the map, are no text; and after they have grown.
    private static let thin = 3.0, grown = 5.0

    private let chances: [Float]
    private let side: Int
    private var left: [Bool]

    private init(_ chances: [Float], _ side: Int, _ least: Float) {
        (self.chances, self.side) = (chances, side)
        left = [Bool](repeating: false, count: chances.count)
        // Dilated by a pixel to the right and below, which joins what touches at a corner only.
        for at in chances.indices where chances[at] > least {
            let right = at % side < side - 1 ? 1 : 0, below = at < chances.count - side ? side : 0
            for place in [at, at + right, at + below, at + below + right] {
                left[place] = true
            }
        }
    }

    /// The corners of the lines of text in a map [side, side], in its pixels, the surest first.
    ///
    /// - Parameter rule: "pixel", the least chance of a pixel; "line", the least mean chance in a rectangle; "growth" on
    ///   each side, as a multiple of the rectangle's area over its perimeter; "most" lines.
    static func lines(_ chances: [Float], side: Int, _ rule: Facts) throws -> [[PicturePoint]] {
        var regions = TextRegions(chances, side, Float(try rule.double("pixel")))
        let least = try rule.double("line"), growth = try rule.double("growth")
        var lines: [(corners: [PicturePoint], score: Double)] = []
        for at in chances.indices where regions.left[at] {
            let made = TextRectangle(around: regions.group(at)), short = min(made.first, made.second)
            guard short >= thin else { continue }
            let score = regions.mean(made.corners)
            let more = 2 * growth * made.first * made.second / (2 * (made.first + made.second))
            if score >= least && short + more >= grown {
                lines.append((made.grown(more).corners, score))
            }
        }
        let order = lines.enumerated().sorted { ($1.element.score, $0.offset) < ($0.element.score, $1.offset) }
        return order.prefix(try rule.int("most")).map(\.element.corners)
    }

    /// The pixels that touch one another, also at corners; they are taken away.
    private mutating func group(_ first: Int) -> [TextRectangle.Place] {
        var points: [TextRectangle.Place] = [], waiting = [first]
        left[first] = false
        while let at = waiting.popLast() {
            let x = at % side, y = at / side
            points.append(.init(x: x, y: y))
            for row in max(0, y - 1)...min(side - 1, y + 1) {
                for column in max(0, x - 1)...min(side - 1, x + 1) where left[row * side + column] {
                    left[row * side + column] = false
                    waiting.append(row * side + column)
                }
            }
        }
        return points
    }

    /// The mean of the map's pixels inside of a rectangle.
    private func mean(_ corners: [PicturePoint]) -> Double {
        func cut(_ place: Double) -> Int { Int(max(0, min(Double(side - 1), place))) }
        let xs = corners.map(\.x), ys = corners.map(\.y)
        var sum = 0.0, count = 0
        for y in cut(ys.min()!.rounded(.down))...cut(ys.max()!.rounded(.up)) {
            for x in cut(xs.min()!.rounded(.down))...cut(xs.max()!.rounded(.up)) {
                let inside = (0..<4).allSatisfy { i in
                    let from = corners[i], to = corners[(i + 1) % 4]
                    return (to.x - from.x) * (Double(y) - from.y) - (to.y - from.y) * (Double(x) - from.x) >= -1e-6
                }
                if inside {
                    sum += Double(chances[y * side + x])
                    count += 1
                }
            }
        }
        return count > 0 ? sum / Double(count) : 0
    }
}
