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
        description = try Description(
            json: ModelFiles.content(of: "model.json", in: folder),
            vocabulary: (try? ModelFiles.content(of: "vocabulary.bin", in: folder)) ?? Data())
    }

    func data(_ name: String) throws -> Data { try ModelFiles.content(of: name, in: folder) }

    private static func content(of name: String, in folder: URL) throws -> Data {
        do {
            return try Data(contentsOf: folder.appendingPathComponent(name), options: .mappedIfSafe)
        } catch {
            throw ModelError.damaged("\(name) cannot be read: \(error.localizedDescription)")
        }
    }

    func goldenInput() throws -> GoldenInput {
        let tensors = try Vectors.read(data("golden/input.bin"), of: "golden/input.bin")
        return GoldenInput(tensors: try tensors.mapValues { try $0.copy() })
    }

    /// "PART/CALL/OUTPUT" to what the fp32 reference computed.
    func goldenReference() throws -> [String: any Tensor] {
        try Vectors.read(data("golden/reference.bin"), of: "golden/reference.bin")
    }
}
