import Foundation

/// A rectangle around pixels, turned as they lie.
struct TextRectangle {
    /// A pixel of a map.
    struct Place {
        let x, y: Int
    }

    /// Its middle, and the direction of its first side: the one nearer to the horizontal, towards the right.
    private let x, y, axisX, axisY: Double
    /// Lengths of both sides.
    let first, second: Double

    private init(x: Double, y: Double, axisX: Double, axisY: Double, first: Double, second: Double) {
        (self.x, self.y, self.first, self.second) = (x, y, first, second)
        (self.axisX, self.axisY) = axisX > 0 ? (axisX, axisY) : (-axisX, -axisY)
    }

    /// The same, both sides longer.
    func grown(_ by: Double) -> TextRectangle {
        TextRectangle(x: x, y: y, axisX: axisX, axisY: axisY, first: first + by, second: second + by)
    }

    /// From the upper left on clockwise.
    var corners: [PicturePoint] {
        let alongX = axisX * first / 2, alongY = axisY * first / 2
        let acrossX = -axisY * second / 2, acrossY = axisX * second / 2
        return [
            PicturePoint(x: x - alongX - acrossX, y: y - alongY - acrossY),
            PicturePoint(x: x + alongX - acrossX, y: y + alongY - acrossY),
            PicturePoint(x: x + alongX + acrossX, y: y + alongY + acrossY),
            PicturePoint(x: x - alongX + acrossX, y: y - alongY + acrossY),
        ]
    }

    /// The one of the least area around points; one of its sides lies on one of their hull's.
    init(around points: [Place]) {
        let hull = Self.hull(points)
        var least = Double.infinity, best = (x: 1.0, y: 0.0, along: (0.0, 0.0), across: (0.0, 0.0))
        for (i, from) in hull.enumerated() {
            let to = hull[(i + 1) % hull.count], wide = Double(to.x - from.x), high = Double(to.y - from.y)
            let length = hypot(wide, high)
            let (axisX, axisY) = length > 0 ? (wide / length, high / length) : (1, 0)
            let along = Self.span(hull, axisX, axisY), across = Self.span(hull, -axisY, axisX)
            let area = (along.1 - along.0) * (across.1 - across.0)
            if area < least {
                least = area
                best = (axisX, axisY, along, across)
            }
        }
        let along = (best.along.0 + best.along.1) / 2, across = (best.across.0 + best.across.1) / 2
        let first = best.along.1 - best.along.0, second = best.across.1 - best.across.0
        let x = best.x * along - best.y * across, y = best.y * along + best.x * across
        if abs(best.x) < abs(best.y) {
            self.init(x: x, y: y, axisX: -best.y, axisY: best.x, first: second, second: first)
        } else {
            self.init(x: x, y: y, axisX: best.x, axisY: best.y, first: first, second: second)
        }
    }

    /// Where points begin and end in a direction.
    private static func span(_ points: [Place], _ x: Double, _ y: Double) -> (Double, Double) {
        var least = Double.infinity, most = -Double.infinity
        for point in points {
            let at = Double(point.x) * x + Double(point.y) * y
            (least, most) = (min(least, at), max(most, at))
        }
        return (least, most)
    }

    /// The convex hull, in order (Andrew 1979).
    private static func hull(_ points: [Place]) -> [Place] {
        let ordered = points.sorted { ($0.x, $0.y) < ($1.x, $1.y) }
        var hull: [Place] = []
        for half in [ordered, ordered.reversed()] {
            let base = hull.count
            for point in half {
                while hull.count - base > 1 && turn(hull[hull.count - 2], hull[hull.count - 1], point) <= 0 {
                    hull.removeLast()
                }
                hull.append(point)
            }
            hull.removeLast()
        }
        return hull.isEmpty ? Array(ordered.prefix(1)) : hull
    }

    private static func turn(_ a: Place, _ b: Place, _ c: Place) -> Int {
        (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x)
    }
}
