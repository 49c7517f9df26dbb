import Foundation

/// A line of text in a picture.
public struct TextLine: Sendable, Equatable {
    public let text: String
    /// The mean probability of its letters.
    public let score: Double
    /// In pixels, from where the text begins.
    public let corners: [PicturePoint]

    /// Lines stand side by side if their middles differ by less than this share of their height.
    private static let beside = 0.5

    private var left: Double { corners.map(\.x).min()! }
    private var top: Double { corners.map(\.y).min()! }
    private var bottom: Double { corners.map(\.y).max()! }
    private var middle: Double { (top + bottom) / 2 }

    /// From above, and of those that stand side by side from the left.
    static func ordered(_ lines: [TextLine]) -> [TextLine] {
        var rows: [[TextLine]] = []
        for line in sorted(lines, by: \.middle) {
            if let first = rows.last?.first,
                line.middle - first.middle < beside * min(line.bottom - line.top, first.bottom - first.top)
            {
                rows[rows.count - 1].append(line)
            } else {
                rows.append([line])
            }
        }
        return rows.flatMap { sorted($0, by: \.left) }
    }

    /// Of equal ones the earlier first.
    private static func sorted(_ lines: [TextLine], by place: KeyPath<TextLine, Double>) -> [TextLine] {
        lines.enumerated().sorted {
            ($0.element[keyPath: place], $0.offset) < ($1.element[keyPath: place], $1.offset)
        }.map(\.element)
    }
}
