import Foundation

/// Resizing with antialiasing, bit for bit as Pillow 13's Image.resize does it: separable filters whose support grows with
/// the reduction, weights in whole numbers of 22 bits, rounded to 8 bits after each pass. The vertical pass comes first
/// where a picture loses far more height than width (before Pillow 13, never).
enum Resample {
    private static let precision = 32 - 8 - 2

    /// A filter kernel.
    enum Filter: Int {
        case bilinear, bicubic

        var support: Double { self == .bilinear ? 1 : 2 }

        func weight(_ distance: Double) -> Double {
            let x = abs(distance), a = -0.5
            if self == .bilinear {
                return x < 1 ? 1 - x : 0
            }
            if x < 1 {
                return ((a + 2) * x - (a + 3)) * x * x + 1
            }
            return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0
        }
    }

    /// RGB pixels [height, width, 3] at another size.
    static func resize(_ pixels: Pixels, height: Int, width: Int, _ filter: Filter) -> Pixels {
        let verticalFirst = pixels.height > height && pixels.height - height > 2 * (pixels.width - width)
        var made = pixels
        for vertical in verticalFirst ? [true, false] : [false, true] {
            if vertical && made.height != height {
                made = down(made, height, filter)
            } else if !vertical && made.width != width {
                made = across(made, width, filter)
            }
        }
        return made
    }

    private static func across(_ pixels: Pixels, _ width: Int, _ filter: Filter) -> Pixels {
        let weights = ResampleWeights(pixels.width, width, filter), whole = weights.of.map(whole)
        var out = [UInt8](repeating: 0, count: pixels.height * width * 3)
        pixels.rgb.withUnsafeBufferPointer { rgb in
            for y in 0..<pixels.height {
                for x in 0..<width {
                    let from = (y * pixels.width + weights.first[x]) * 3
                    sum(rgb, from, 3, whole[x], &out, (y * width + x) * 3)
                }
            }
        }
        return Pixels(unchecked: out, height: pixels.height, width: width)
    }

    private static func down(_ pixels: Pixels, _ height: Int, _ filter: Filter) -> Pixels {
        let weights = ResampleWeights(pixels.height, height, filter), whole = weights.of.map(whole)
        let width = pixels.width
        var out = [UInt8](repeating: 0, count: height * width * 3)
        pixels.rgb.withUnsafeBufferPointer { rgb in
            for y in 0..<height {
                for x in 0..<width {
                    let from = (weights.first[y] * width + x) * 3
                    sum(rgb, from, width * 3, whole[y], &out, (y * width + x) * 3)
                }
            }
        }
        return Pixels(unchecked: out, height: height, width: width)
    }

    private static func sum(
        _ rgb: UnsafeBufferPointer<UInt8>, _ from: Int, _ step: Int, _ weights: [Int], _ out: inout [UInt8], _ to: Int
    ) {
        let half = 1 << (precision - 1)
        var red = half, green = half, blue = half, at = from
        for weight in weights {
            red += Int(rgb[at]) * weight
            green += Int(rgb[at + 1]) * weight
            blue += Int(rgb[at + 2]) * weight
            at += step
        }
        for (i, value) in [red, green, blue].enumerated() {
            out[to + i] = UInt8(max(0, min(255, value >> precision)))
        }
    }

    /// Shares in whole numbers.
    private static func whole(_ shares: [Double]) -> [Int] {
        shares.map { Int(($0 < 0 ? -0.5 : 0.5) + $0 * Double(1 << precision)) }
    }
}

/// Of every new pixel in a row: the first old pixel that counts, and the shares from it on, as Pillow has them.
struct ResampleWeights {
    private(set) var first: [Int] = []
    private(set) var of: [[Double]] = []

    /// - Parameters:
    ///   - size: of the old row.
    ///   - part: the stretch of it that becomes the new row, in pixels; nil: all of it.
    init(_ size: Int, _ newSize: Int, _ filter: Resample.Filter, part: (from: Float, to: Float)? = nil) {
        let from = part?.from ?? 0, to = part?.to ?? Float(size)
        let scale = Double(to - from) / Double(newSize), stretch = max(scale, 1)
        let support = filter.support * stretch, shrink = 1 / stretch
        for i in 0..<newSize {
            let center = Double(from) + (Double(i) + 0.5) * scale
            let start = max(0, Int(center - support + 0.5))
            let count = min(size, Int(center + support + 0.5)) - start
            let weights = (0..<count).map { filter.weight((Double($0 + start) - center + 0.5) * shrink) }
            let sum = weights.reduce(0, +)
            first.append(start)
            of.append(sum == 0 ? weights : weights.map { $0 / sum })
        }
    }
}
