import Foundation

/// Turned parts of pictures, as Pillow cuts them with bilinear filtering; black outside of the picture.
struct Affine {
    /// To (a * x + b * y + c, d * x + e * y + f) of the picture belongs x, y of the part.
    let a, b, c, d, e, f: Double

    func cut(_ picture: Pixels, height: Int, width: Int) -> Pixels {
        var out = [UInt8](repeating: 0, count: height * width * 3)
        for row in 0..<height {
            for column in 0..<width {
                let x = Double(column) + 0.5, y = Double(row) + 0.5
                let atX = a * x + b * y + c, atY = d * x + e * y + f
                if atX >= 0 && atX < Double(picture.width) && atY >= 0 && atY < Double(picture.height) {
                    Self.sample(picture, atX - 0.5, atY - 0.5, &out, (row * width + column) * 3)
                }
            }
        }
        return Pixels(unchecked: out, height: height, width: width)
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
