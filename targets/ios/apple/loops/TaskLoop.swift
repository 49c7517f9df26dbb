/// What computes a task's answers from the parts of a bundle. Each has methods of its own for an app's inputs; what all of
/// them can do is to answer the golden input.
protocol TaskLoop {
    init(_ parts: [String: any Graph], _ description: Description) throws

    /// Runs every part on the bundle's golden input and says the answer as a text for people.
    ///
    /// - Parameter golden: "audio", "pixels", "numbers" or "text", by the task; of plain tensors all inputs.
    func answer(_ golden: GoldenInput) async throws -> String
}

/// A bundle's golden input: tensors by their kind, or of plain tensors by their names.
struct GoldenInput: Sendable {
    let tensors: [String: Values]

    /// The only tensor, of a kind. Throws where the package has another.
    func input(_ kind: String) throws -> Values {
        guard let tensor = tensors[kind] else { throw ModelError.damaged("there is no golden input of \(kind)") }
        return tensor
    }
}
