import Foundation

/// A picture laid whole into a network's input, and the way back from the input's positions to the picture's pixels.
struct PlacedPicture {
    /// Of the network's size.
    let pixels: Pixels
    /// Of the picture, in pixels.
    let height, width: Int
    /// Where the picture lies in the input, as shares of it.
    let left, top, across, down: Double

    /// - Parameter rule: "resize" of the bundle's facts: with "letterbox" the picture keeps its proportions, in the middle,
    ///   and what is left is black; else it is scaled as a whole.
    init(_ picture: Pixels, _ rule: Facts, height high: Int, width wide: Int) throws {
        guard !rule.has("short_side"), !rule.has("crop"), !rule.has("size") else {
            throw ModelError.damaged("the network's input is a part of the picture only")
        }
        (height, width) = (picture.height, picture.width)
        let filter: Resample.Filter = (try? rule.text("filter")) == "bicubic" ? .bicubic : .bilinear
        guard (try? rule.value("letterbox") as Bool) == true else {
            pixels = Resample.resize(picture, height: high, width: wide, filter)
            (left, top, across, down) = (0, 0, 1, 1)
            return
        }
        let scale = min(Double(wide) / Double(width), Double(high) / Double(height))
        let newWide = max(1, Int((Double(width) * scale).rounded(.toNearestOrEven)))
        let newHigh = max(1, Int((Double(height) * scale).rounded(.toNearestOrEven)))
        let x = (wide - newWide) / 2, y = (high - newHigh) / 2
        let scaled = Resample.resize(picture, height: newHigh, width: newWide, filter)
        var rgb = [UInt8](repeating: 0, count: high * wide * 3)
        for row in 0..<newHigh {
            let from = row * newWide * 3, to = ((y + row) * wide + x) * 3
            rgb.replaceSubrange(to..<to + newWide * 3, with: scaled.rgb[from..<from + newWide * 3])
        }
        pixels = Pixels(unchecked: rgb, height: high, width: wide)
        (left, top) = (Double(x) / Double(wide), Double(y) / Double(high))
        (across, down) = (Double(newWide) / Double(wide), Double(newHigh) / Double(high))
    }

    /// A position as shares of the input, in pixels of the picture; not cut at its edges.
    func back(_ x: Double, _ y: Double) -> PicturePoint {
        PicturePoint(x: (x - left) / across * Double(width), y: (y - top) / down * Double(height))
    }

    func back(_ x: Float, _ y: Float) -> PicturePoint { back(Double(x), Double(y)) }
}

/// A place in a picture, in pixels from its left upper corner.
public struct PicturePoint: Sendable, Equatable {
    public let x, y: Double
}
