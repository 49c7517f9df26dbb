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

    /// A part; what lies outside of the picture is black.
    func cropped(top: Int, left: Int, height: Int, width: Int) -> Pixels {
        var rows = [UInt8](repeating: 0, count: height * width * 3)
        let first = max(0, -left), end = min(width, self.width - left)
        for y in max(0, -top)..<min(height, self.height - top) {
            let from = ((top + y) * self.width + left + first) * 3, to = (y * width + first) * 3
            rows.replaceSubrange(to..<to + (end - first) * 3, with: rgb[from..<from + (end - first) * 3])
        }
        return Pixels(unchecked: rows, height: height, width: width)
    }
}
