import Foundation

/// A square of a picture, turned: what it holds stands upright in the cut.
struct TurnedSquare {
    /// Its middle and its side, in pixels.
    let x, y, side: Double
    private let cos, sin: Double

    /// The square around a detected thing, turned so that the line from one of its points to another stands upright.
    ///
    /// - Parameter rule: "start", "end": indices of the two points; "scale"; "around": "circle", whose middle is the first
    ///   point and on which the second lies, or "box", by whose height times "shift" the square is moved along the line.
    init(_ thing: DetectedObject, _ rule: Facts) throws {
        let start = try rule.int("start"), end = try rule.int("end"), scale = try rule.double("scale")
        guard thing.points.indices.contains(start), thing.points.indices.contains(end) else {
            throw ModelError.damaged("the detector tells too few points")
        }
        let first = thing.points[start], second = thing.points[end]
        let angle = Double.pi / 2 - atan2(first.y - second.y, second.x - first.x)
        (cos, sin) = (Foundation.cos(angle), Foundation.sin(angle))
        guard (try? rule.text("around")) == "box" else {
            (x, y) = (first.x, first.y)
            side = 2 * hypot(second.x - first.x, second.y - first.y) * scale
            return
        }
        let (from, to) = thing.whole, height = to.y - from.y, moved = try rule.double("shift") * height
        x = (from.x + to.x) / 2 - moved * sin
        y = (from.y + to.y) / 2 + moved * cos
        side = max(to.x - from.x, height) * scale
    }

    /// A position as shares of the square, in pixels of the picture.
    func placed(_ x: Double, _ y: Double) -> PicturePoint {
        let across = (x - 0.5) * side, down = (y - 0.5) * side
        return PicturePoint(x: across * cos - down * sin + self.x, y: across * sin + down * cos + self.y)
    }

    /// What it holds of a picture, upright, size x size, as Pillow cuts it; black outside of the picture.
    func cut(_ picture: Pixels, _ size: Int) -> Pixels {
        let step = side / Double(size), right = cos * step, down = sin * step, corner = placed(0, 0)
        var out = [UInt8](repeating: 0, count: size * size * 3)
        for row in 0..<size {
            for column in 0..<size {
                let x = Double(column) + 0.5, y = Double(row) + 0.5
                let atX = right * x + -down * y + corner.x, atY = down * x + right * y + corner.y
                if atX >= 0 && atX < Double(picture.width) && atY >= 0 && atY < Double(picture.height) {
                    Self.sample(picture, atX - 0.5, atY - 0.5, &out, (row * size + column) * 3)
                }
            }
        }
        return Pixels(unchecked: out, height: size, width: size)
    }

    /// The four pixels around a place, by their nearness; behind an edge its pixels go on.
    private static func sample(_ picture: Pixels, _ x: Double, _ y: Double, _ out: inout [UInt8], _ to: Int) {
        let left = Int(x.rounded(.down)), top = Int(y.rounded(.down)), dx = x - Double(left), dy = y - Double(top)
        let first = 3 * max(0, left), second = 3 * min(picture.width - 1, left + 1), row = 3 * picture.width
        let upper = row * max(0, top), lower = row * min(picture.height - 1, top + 1)
        func between(_ first: Int, _ second: Int) -> Double {
            let from = Double(picture.rgb[first]), to = Double(picture.rgb[second])
            return from + (to - from) * dx
        }
        for band in 0..<3 {
            let above = between(upper + first + band, upper + second + band)
            let below = between(lower + first + band, lower + second + band)
            out[to + band] = UInt8(above + (below - above) * dy)
        }
    }
}
