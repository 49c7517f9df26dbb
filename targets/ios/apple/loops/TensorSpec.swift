/// An input or output of a model.
public struct TensorSpec: Sendable, Equatable {
    public let name: String
    /// Of its values: such as float32, int64, uint8, bool.
    public let type: TensorType
    /// Sizes of its axes; nil where any size will do.
    public let shape: [Int?]
    /// Names of those; axes of one name have one size in a call.
    public let axes: [String?]

    init(_ spec: Description.Spec) throws {
        guard let type = TensorType.named[spec.type] else {
            throw ModelError.damaged("\(spec.name) is \(spec.type), which no loop knows")
        }
        (name, self.type, axes) = (spec.name, type, spec.axes)
        shape = spec.shape.map { $0 < 0 ? nil : $0 }
    }

    var text: String {
        let sizes = zip(shape, axes).map { $0.map(String.init) ?? $1 ?? "?" }
        return "\(type) \(sizes.isEmpty ? "scalar" : sizes.joined(separator: " x "))"
    }
}
