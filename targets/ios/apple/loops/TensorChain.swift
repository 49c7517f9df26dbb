/// Tensors by name through every part in its order: each takes what the app gives and what parts before it gave.
struct TensorChain: TaskLoop {
    private let parts: [(graph: any Graph, part: Description.Part)]
    /// What an app gives, and what it gets.
    let inputs, outputs: [TensorSpec]

    init(_ parts: [String: any Graph], _ description: Description) throws {
        self.parts = try description.parts.map { part in
            guard let graph = parts[part.name] else { throw ModelError.damaged("the part \(part.name) is missing") }
            return (graph, part)
        }
        var made: Set<String> = [], taken: Set<String> = [], wanted: [Description.Spec] = []
        for part in description.parts {
            wanted += part.inputs.filter { taken.insert($0.name).inserted && !made.contains($0.name) }
            made.formUnion(part.outputs.map(\.name))
        }
        inputs = try wanted.map(TensorSpec.init)
        outputs = try description.parts.flatMap(\.outputs).filter { !taken.contains($0.name) }.map(TensorSpec.init)
    }

    func answer(_ golden: GoldenInput) async throws -> String {
        let made = try await run(golden.tensors)
        return outputs.map { "\($0.name) \(made[$0.name].map(Self.said) ?? "")" }.joined(separator: ", ")
    }

    /// The outputs by name, in the app's own memory.
    ///
    /// - Parameter given: every one of `inputs`, in its type and shape; axes of one name have one size.
    /// - Throws: `ModelError.badInput`: a tensor is missing, not asked for, or of another type or shape.
    func run(_ given: [String: Values]) async throws -> [String: Values] {
        try check(given)
        var values: [String: any Tensor] = given
        for (graph, part) in parts {
            try Task.checkCancellation()
            let feeds = values.filter { name, _ in part.inputs.contains { $0.name == name } }
            values.merge(try await graph.run(feeds)) { $1 }
        }
        var kept: [String: Values] = [:]
        for spec in outputs {
            guard let tensor = values[spec.name] else { throw ModelError.damaged("a graph gives no \(spec.name)") }
            kept[spec.name] = try tensor.copy()
        }
        return kept
    }

    private func check(_ given: [String: Values]) throws {
        var sizes: [String: Int] = [:]
        for spec in inputs {
            guard let tensor = given[spec.name] else {
                throw ModelError.badInput("the input \(spec.name) is missing: it is \(spec.text)")
            }
            var fits = tensor.type == spec.type && tensor.shape.count == spec.shape.count
            for (i, size) in tensor.shape.enumerated() where fits {
                if let axis = spec.axes[i] {
                    fits = size == sizes[axis, default: size]
                    sizes[axis] = sizes[axis] ?? size
                } else {
                    fits = size == spec.shape[i]
                }
            }
            if !fits {
                let known = sizes.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ", ")
                throw ModelError.badInput(
                    "the input \(spec.name) is \(Self.said(tensor)); it must be \(spec.text)"
                        + (known.isEmpty ? "" : " with \(known)"))
            }
        }
        if let other = given.keys.first(where: { name in !inputs.contains { $0.name == name } }) {
            let known = inputs.map(\.name).joined(separator: ", ")
            throw ModelError.badInput("the network has no input \(other), only \(known)")
        }
    }

    private static func said(_ tensor: Values) -> String {
        "\(tensor.type) \(tensor.shape.isEmpty ? "scalar" : tensor.shape.map(String.init).joined(separator: " x "))"
    }
}
