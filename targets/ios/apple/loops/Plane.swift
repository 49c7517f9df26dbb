/// Numbers in rows and columns, resized as Pillow does with pictures of 32-bit floats.
struct Plane {
    let values: [Float]
    let rows, columns: Int

    /// A part of a plane, in columns and rows.
    struct Part {
        let left, top, right, bottom: Float
    }

    /// A part at another size, bilinear with antialiasing.
    func resized(_ part: Part, rows high: Int, columns wide: Int) -> Plane {
        let across = wide != columns || part.left != 0 || part.right != Float(columns)
        let down = high != rows || part.top != 0 || part.bottom != Float(rows)
        let verticalFirst = rows > high && rows - high > 2 * (columns - wide)
        var made = self
        for vertical in verticalFirst ? [true, false] : [false, true] {
            if vertical && down {
                made = made.down(part, high)
            } else if !vertical && across {
                made = made.across(part, wide)
            }
        }
        return made
    }

    private func across(_ part: Part, _ wide: Int) -> Plane {
        let weights = ResampleWeights(columns, wide, .bilinear, part: (part.left, part.right))
        var out = [Float](repeating: 0, count: rows * wide)
        for y in 0..<rows {
            for x in 0..<wide {
                out[y * wide + x] = sum(y * columns + weights.first[x], 1, weights.of[x])
            }
        }
        return Plane(values: out, rows: rows, columns: wide)
    }

    private func down(_ part: Part, _ high: Int) -> Plane {
        let weights = ResampleWeights(rows, high, .bilinear, part: (part.top, part.bottom))
        var out = [Float](repeating: 0, count: high * columns)
        for y in 0..<high {
            for x in 0..<columns {
                out[y * columns + x] = sum(weights.first[y] * columns + x, columns, weights.of[y])
            }
        }
        return Plane(values: out, rows: high, columns: columns)
    }

    private func sum(_ from: Int, _ step: Int, _ weights: [Double]) -> Float {
        var sum = 0.0, at = from
        for weight in weights {
            sum += Double(values[at]) * weight
            at += step
        }
        return Float(sum)
    }
}
