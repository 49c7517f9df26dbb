import Foundation

/// The random numbers of numpy's default_rng(seed).standard_normal in float32, bit for bit; beyond 3.65 within the last digit.
/// A ziggurat of 256 layers (Marsaglia and Tsang 2000), whose tables follow from where its tail begins.
struct GaussianNoise {
    /// Of each layer: the steps that lie within the one above; the width of a step; the height.
    private typealias Layer = (within: UInt32, width: Float, height: Float)
    private static let layers: [Layer] = {
        let area = 0.00492867323397465524494, steps = Double(1 << 23)
        let base = area / density(tail)
        var made: [Layer] = [], edge = tail
        for layer in (1..<256).reversed() {
            let above = layer > 1 ? (-2 * log(area / edge + density(edge))).squareRoot() : 0
            made.append((UInt32(above / edge * steps), Float(edge / steps), Float(density(edge))))
            edge = above
        }
        made.append((UInt32(tail / base * steps), Float(base / steps), 1))
        return made.reversed()
    }()
    private static let tail = 3.6541528853610088

    private var random: Pcg64

    /// - Parameter random: of whose begin the numbers are made.
    init(_ random: Pcg64) {
        self.random = random
    }

    mutating func next() -> Float {
        while true {
            let word = random.word(), steps = word >> 9, at = Int(word & 255), layer = Self.layers[at]
            let value = (word & 256 == 0 ? 1 : -1) * Float(steps) * layer.width
            if steps < layer.within {
                return value
            }
            if at == 0 {
                return (steps >> 8 & 1 == 0 ? 1 : -1) * beyond()
            }
            if Double((Self.layers[at - 1].height - layer.height) * uniform() + layer.height) < Self.density(Double(value)) {
                return value
            }
        }
    }

    /// A number of the tail.
    private mutating func beyond() -> Float {
        while true {
            let more = -Float(1 / Self.tail) * log1p(-uniform()), limit = -log1p(-uniform())
            if limit + limit > more * more {
                return Float(Self.tail) + more
            }
        }
    }

    private mutating func uniform() -> Float { Float(random.word() >> 8) * 0x1p-24 }

    private static func density(_ value: Double) -> Double { exp(-0.5 * value * value) }
}
