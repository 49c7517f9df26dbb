import Foundation

/// A line of text cut out of a picture, upright.
struct LinePicture {
    /// What is this much higher than wide is a line that runs upwards or downwards.
    private static let upright = 1.5
    /// Beside a line: 0 after normalisation, as in training.
    private static let grey: UInt8 = 128
    /// Where a long line may be parted: in the last share of a piece.
    private static let last = 0.35

    let pixels: Pixels

    init(_ pixels: Pixels) {
        self.pixels = pixels
    }

    /// What a rectangle holds of a picture; one that stands on its short side is laid down, its right side above.
    init(_ picture: Pixels, _ corners: [PicturePoint]) {
        let origin = corners[0], right = corners[1], below = corners[3]
        let wide = hypot(right.x - origin.x, right.y - origin.y), high = hypot(below.x - origin.x, below.y - origin.y)
        let columns = max(1, Int(wide.rounded(.toNearestOrEven))), rows = max(1, Int(high.rounded(.toNearestOrEven)))
        let part = Affine(
            a: (right.x - origin.x) / Double(columns), b: (below.x - origin.x) / Double(rows), c: origin.x,
            d: (right.y - origin.y) / Double(columns), e: (below.y - origin.y) / Double(rows), f: origin.y)
        let line = LinePicture(part.cut(picture, height: rows, width: columns))
        self = high >= Self.upright * wide ? line.turned(half: false) : line
    }

    /// Turned by half, or by a quarter against the clock.
    func turned(half: Bool) -> LinePicture {
        let height = pixels.height, width = pixels.width
        let high = half ? height : width, wide = half ? width : height
        var out = [UInt8](repeating: 0, count: pixels.rgb.count)
        for y in 0..<high {
            for x in 0..<wide {
                let from = half ? (height - 1 - y) * width + width - 1 - x : x * width + width - 1 - y
                for band in 0..<3 {
                    out[(y * wide + x) * 3 + band] = pixels.rgb[from * 3 + band]
                }
            }
        }
        return LinePicture(Pixels(unchecked: out, height: high, width: wide))
    }

    /// At a height, in pieces of at most so many columns, parted where columns are the most alike, as between words.
    func pieces(_ height: Int, most: Int) -> [LinePicture] {
        let width = Double(pixels.width) * Double(height) / Double(pixels.height)
        let wide = max(1, Int(width.rounded(.toNearestOrEven)))
        var left = Resample.resize(pixels, height: height, width: wide, .bilinear), pieces: [LinePicture] = []
        while left.width > most {
            let smooth = LinePicture(left).smooth(), start = Int((Double(most) * (1 - Self.last)).rounded(.toNearestOrEven))
            let at = (start..<most).reduce(start) { smooth[$1] < smooth[$0] ? $1 : $0 }
            pieces.append(LinePicture(left.cropped(top: 0, left: 0, height: height, width: at)))
            left = left.cropped(top: 0, left: at, height: height, width: left.width - at)
        }
        return pieces + [LinePicture(left)]
    }

    /// How much the pixels of a column differ, as a mean of five columns.
    private func smooth() -> [Double] {
        let height = Double(pixels.height), width = pixels.width
        var smooth = [Double](repeating: 0, count: width)
        for x in 0..<width {
            var mean = 0.0, square = 0.0
            for y in 0..<pixels.height {
                let at = (y * width + x) * 3
                let value = Double(Int(pixels.rgb[at]) + Int(pixels.rgb[at + 1]) + Int(pixels.rgb[at + 2])) / 3
                mean += value / height
                square += value * value / height
            }
            for near in max(0, x - 2)...min(width - 1, x + 2) {
                smooth[near] += max(0, square - mean * mean).squareRoot() / 5
            }
        }
        return smooth
    }

    /// In an input of so many columns: at the left, grey beside it; a wider one is squeezed.
    func filled(_ width: Int) -> [UInt8] {
        let height = pixels.height
        let line =
            pixels.width > width ? Resample.resize(pixels, height: height, width: width, .bilinear) : pixels
        var out = [UInt8](repeating: Self.grey, count: height * width * 3)
        for y in 0..<height {
            let from = y * line.width * 3, to = y * width * 3
            out.replaceSubrange(to..<to + line.width * 3, with: line.rgb[from..<from + line.width * 3])
        }
        return out
    }
}
