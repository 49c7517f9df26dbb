// What our packages use of this module of Core AI's, with the signatures that Apple documents.

import CoreAIRuntime
import Foundation

public struct SpecializationOptions: Sendable {
    public static let `default` = SpecializationOptions()
}

extension AIModel {
    public init(contentsOf modelURL: URL, options: SpecializationOptions = .default) async throws {
        self.init(file: modelURL.path)
    }

    public func loadFunction(named functionName: String) throws -> InferenceFunction? {
        functionName == "main" ? InferenceFunction(file: file) : nil
    }
}
