/// What computes a task's answers from the parts of a bundle. Each has methods of its own for an app's inputs; what all of
/// them can do is to answer the golden input.
protocol TaskLoop {
    init(_ parts: [String: any Graph], _ description: Description) throws

    /// Runs every part on the bundle's golden input and says the answer as a text for people.
    func answer(_ input: any Tensor) async throws -> String
}
