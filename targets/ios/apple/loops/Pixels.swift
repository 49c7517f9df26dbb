import Foundation

/// A picture: RGB bytes row by row, upright, without transparency.
public struct Pixels: Sendable, Equatable {
    public let rgb: [UInt8]
    public let height, width: Int

    /// Throws `ModelError.badInput` where the bytes do not fill the picture.
    public init(rgb: [UInt8], height: Int, width: Int) throws {
        guard height > 0, width > 0, rgb.count == height * width * 3 else {
            throw ModelError.badInput("\(rgb.count) bytes are not \(height) x \(width) RGB pixels")
        }
        self.init(unchecked: rgb, height: height, width: width)
    }

    /// A tensor of bytes [height, width, 3].
    init(_ tensor: any Tensor) throws {
        guard tensor.shape.count == 3 else { throw ModelError.badInput("a picture has rows, columns and colours") }
        try self.init(rgb: tensor.bytes(), height: tensor.shape[0], width: tensor.shape[1])
    }

    init(unchecked rgb: [UInt8], height: Int, width: Int) {
        self.rgb = rgb
        self.height = height
        self.width = width
    }

    func cropped(top: Int, left: Int, height: Int, width: Int) -> Pixels {
        var rows: [UInt8] = []
        rows.reserveCapacity(height * width * 3)
        for y in top..<top + height {
            let from = (y * self.width + left) * 3
            rows += rgb[from..<from + width * 3]
        }
        return Pixels(unchecked: rows, height: height, width: width)
    }
}
