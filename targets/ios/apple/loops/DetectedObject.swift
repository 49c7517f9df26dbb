import Foundation

/// A thing in a picture.
public struct DetectedObject: Sendable, Equatable {
    /// Boxes of a label, and of a picture, at most.
    private static let most = 100

    public let label: String
    /// 0...1.
    public let score: Double
    /// Corners of its box in pixels, cut at the picture's edges.
    public let topLeft, bottomRight: PicturePoint
    /// What the network tells of its points, also outside of the picture; mostly none.
    public let points: [PicturePoint]
    /// The box before it was cut.
    let whole: (topLeft: PicturePoint, bottomRight: PicturePoint)

    public static func == (first: DetectedObject, second: DetectedObject) -> Bool {
        first.label == second.label && first.score == second.score && first.topLeft == second.topLeft
            && first.bottomRight == second.bottomRight && first.points == second.points
    }

    private var area: Double { max(0, bottomRight.x - topLeft.x) * max(0, bottomRight.y - topLeft.y) }

    /// Intersection over union.
    private func overlap(_ other: DetectedObject) -> Double {
        let wide = min(bottomRight.x, other.bottomRight.x) - max(topLeft.x, other.topLeft.x)
        let high = min(bottomRight.y, other.bottomRight.y) - max(topLeft.y, other.topLeft.y)
        let common = max(0, wide) * max(0, high), union = area + other.area - common
        return union > 0 ? common / union : 0
    }

    /// Non-maximum suppression: of boxes of a label that overlap by more than `overlap` the best stays. Best first.
    ///
    /// - Parameter objects: of each label.
    static func kept(_ objects: [[DetectedObject]], overlap: Double) -> [DetectedObject] {
        var kept: [DetectedObject] = []
        for all in objects {
            var chosen: [DetectedObject] = []
            for object in sorted(all) where chosen.count < most {
                if chosen.allSatisfy({ $0.overlap(object) <= overlap }) {
                    chosen.append(object)
                }
            }
            kept += chosen
        }
        return Array(sorted(kept).prefix(most))
    }

    /// Best first; of equal ones the earlier.
    private static func sorted(_ objects: [DetectedObject]) -> [DetectedObject] {
        objects.enumerated().sorted {
            $0.element.score != $1.element.score ? $0.element.score > $1.element.score : $0.offset < $1.offset
        }.map(\.element)
    }

    /// The labels, for people.
    static func text(_ objects: [DetectedObject]) -> String {
        objects.isEmpty ? "nothing" : objects.map(\.label).joined(separator: ", ")
    }
}
