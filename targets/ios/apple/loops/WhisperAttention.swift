import Foundation

/// Which position of the sound each token of a text looks at: cross-attention of some heads, and the cheapest way through
/// it (after whisper/timing.py). Sums are those of float32, so that equal values stay equal.
struct WhisperAttention {
    /// Positions of the encoder that the median filter looks at.
    private static let median = 7

    private let cross: [String: any Tensor]
    /// How many positions the encoder gave.
    let positions: Int

    /// - Parameter cross: what the encoder said.
    init(_ cross: [String: any Tensor]) throws {
        self.cross = cross
        guard let shape = cross["cross_key_0"]?.shape, shape.count == 3 else {
            throw ModelError.damaged("the encoder gives no keys")
        }
        positions = shape[2]
    }

    /// The position where each token looks: the median of its attention, the mean of its heads.
    ///
    /// - Parameters:
    ///   - queries: of each token, [heads * size].
    ///   - heads: the layer and head of each.
    func looks(_ queries: [[Float]], _ heads: [[Int]]) throws -> [Int] {
        let size = queries[0].count / heads.count
        var sum = [[Double]](repeating: [Double](repeating: 0, count: positions), count: queries.count)
        for (i, plane) in try planes(heads, size: size).enumerated() {
            for (row, query) in queries.enumerated() {
                for (j, weight) in look(query[i * size..<(i + 1) * size], plane, positions).enumerated() {
                    sum[row][j] += Double(weight)
                }
            }
        }
        return sum.map { row in
            let half = row.reduce(0.0) { $0 + $1 / 2 }
            var median = 0, before = 0.0
            while before + row[median] < half {
                before += row[median]
                median += 1
            }
            return median
        }
    }

    /// The keys [size][positions] of each head; those of a layer are read once for heads that follow each other.
    private func planes(_ heads: [[Int]], size: Int) throws -> [ArraySlice<Float>] {
        var keys: [Float] = [], layer = -1
        return try heads.map { head in
            if head[0] != layer {
                layer = head[0]
                guard let tensor = cross["cross_key_\(layer)"] else {
                    throw ModelError.damaged("the encoder gives no keys of layer \(layer)")
                }
                keys = try tensor.floats()
            }
            return keys[head[1] * size * positions..<(head[1] + 1) * size * positions]
        }
    }

    /// How much each token looks at each position: normalized over tokens, smoothed over time, averaged over heads.
    ///
    /// - Parameters:
    ///   - queries: [heads * count * size].
    ///   - heads: the layer and head of each.
    ///   - heard: positions that are looked at.
    /// - Returns: [count][heard].
    func weights(_ queries: [Float], _ heads: [[Int]], count: Int, heard: Int) throws -> [[Float]] {
        let size = queries.count / (heads.count * count)
        var sum = [[Float]](repeating: [Float](repeating: 0, count: heard), count: count)
        for (i, plane) in try planes(heads, size: size).enumerated() {
            var looks = (0..<count).map { row in
                look(queries[(i * count + row) * size..<(i * count + row + 1) * size], plane, heard)
            }
            Self.normalize(&looks)
            for row in 0..<count {
                Self.addSmooth(looks[row], to: &sum[row])
            }
        }
        return sum.map { row in row.map { $0 / Float(heads.count) } }
    }

    /// The softmax of a query over the positions. Keys lie [size][all positions].
    private func look(_ query: ArraySlice<Float>, _ keys: ArraySlice<Float>, _ heard: Int) -> [Float] {
        var scores = [Double](repeating: 0, count: heard)
        keys.withUnsafeBufferPointer { all in
            scores.withUnsafeMutableBufferPointer { scores in
                for (d, factor) in query.enumerated() {
                    let from = d * positions
                    for j in 0..<heard {
                        scores[j] += Double(factor) * Double(all[from + j])
                    }
                }
            }
        }
        let values = scores.map { Float($0) }, top = values.max() ?? 0
        let shifted = values.map { $0 - top }
        let mass = Float(log(shifted.reduce(0.0) { $0 + exp(Double($1)) }))
        return shifted.map { Float(exp(Double($0 - mass))) }
    }

    /// To mean 0 and deviation 1 over the tokens.
    private static func normalize(_ weights: inout [[Float]]) {
        let count = Float(weights.count)
        for j in weights[0].indices {
            var sum: Float = 0, squares: Float = 0
            for row in weights.indices {
                sum += weights[row][j]
            }
            let mean = sum / count
            for row in weights.indices {
                squares += (weights[row][j] - mean) * (weights[row][j] - mean)
            }
            let deviation = (squares / count).squareRoot() + 1e-9
            for row in weights.indices {
                weights[row][j] = (weights[row][j] - mean) / deviation
            }
        }
    }

    /// Adds the running median of a row, which is mirrored at its ends.
    private static func addSmooth(_ row: [Float], to sum: inout [Float]) {
        let count = row.count, reach = min(median / 2, count - 1)
        var near = [Float](repeating: 0, count: 2 * reach + 1)
        for j in row.indices {
            for k in -reach...reach {
                let at = abs(j + k)
                near[k + reach] = row[at < count ? at : 2 * (count - 1) - at]
            }
            near.sort()
            sum[j] += near[reach]
        }
    }

    /// Dynamic time warping (Sakoe and Chiba 1978): the cheapest path from the first corner to the last, each step to
    /// the next row, the next column or both.
    ///
    /// - Parameter gains: [rows][columns], costs below zero.
    /// - Returns: for each row the first column of the path in it.
    static func path(_ gains: ArraySlice<[Float]>) -> [Int] {
        let rows = Array(gains), length = rows[0].count
        var total = [[Double]](repeating: [Double](repeating: .infinity, count: length + 1), count: rows.count + 1)
        total[0][0] = 0
        for i in 1...rows.count {
            for j in 1...length {
                let before = min(total[i - 1][j - 1], total[i - 1][j], total[i][j - 1])
                total[i][j] = before - Double(rows[i - 1][j - 1])
            }
        }
        var begins = [Int](repeating: 0, count: rows.count), i = rows.count, j = length
        while i > 0 && j > 0 {
            begins[i - 1] = j - 1
            let both = total[i - 1][j - 1], down = total[i - 1][j], right = total[i][j - 1]
            if both < down && both < right {
                (i, j) = (i - 1, j - 1)
            } else if down < both && down < right {
                i -= 1
            } else {
                j -= 1
            }
        }
        return begins
    }
}
