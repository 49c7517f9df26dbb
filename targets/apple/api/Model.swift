import Foundation

/// What is in the package: its description, its golden vectors, and the place of its parts.
struct ModelFiles {
    let folder: URL
    let description: Description

    /// The resources of this package.
    static func bundled() throws -> ModelFiles {
        guard let folder = Bundle.module.url(forResource: "Model", withExtension: nil) else {
            throw ModelError.damaged("the package has lost its resources")
        }
        return try ModelFiles(folder: folder)
    }

    init(folder: URL) throws {
        self.folder = folder
        description = try Description(json: Data(contentsOf: folder.appendingPathComponent("model.json")))
    }

    func data(_ name: String) throws -> Data {
        do {
            return try Data(contentsOf: folder.appendingPathComponent(name), options: .mappedIfSafe)
        } catch {
            throw ModelError.damaged("\(name) cannot be read: \(error.localizedDescription)")
        }
    }

    /// The golden input: its only tensor.
    func goldenInput() throws -> any Tensor {
        let file = folder.appendingPathComponent("golden/input.bin")
        guard let input = try Vectors.read(file: file).first else {
            throw ModelError.damaged("there is no golden input")
        }
        return input.value
    }

    /// "PART/CALL/OUTPUT" to what the fp32 reference computed.
    func goldenReference() throws -> [String: any Tensor] {
        try Vectors.read(file: folder.appendingPathComponent("golden/reference.bin"))
    }
}

/// A chain of calls that come one at a time and in order, whatever task they come from: an actor alone would let a second
/// call in while the first one waits for the runtime.
actor Turns {
    private var last: Task<Void, Never>?

    func take<T: Sendable>(_ work: @escaping @Sendable () async throws -> T) async throws -> T {
        let before = last
        let mine = Task<T, Error> {
            await before?.value
            try Task.checkCancellation()
            return try await work()
        }
        last = Task { _ = await mine.result }
        return try await withTaskCancellationHandler {
            try await mine.value
        } onCancel: {
            mine.cancel()
        }
    }
}
