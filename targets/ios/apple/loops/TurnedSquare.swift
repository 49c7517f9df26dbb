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
        let part = Affine(a: right, b: -down, c: corner.x, d: down, e: right, f: corner.y)
        return part.cut(picture, height: size, width: size)
    }
}
