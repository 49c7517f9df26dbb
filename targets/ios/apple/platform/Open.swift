#if canImport(CoreML)
    import CoreML

    extension EdgekitAPI {
        /// Opens the model. The first launch compiles it for this device, which takes seconds.
        ///
        /// - Parameter computeUnits: where it may run.
        /// - Throws: `ModelError`, `CancellationError`.
        public convenience init(computeUnits: MLComputeUnits = .all) async throws {
            let configuration = MLModelConfiguration()
            configuration.computeUnits = computeUnits
            let files = try ModelFiles.bundled()
            try self.init(files, parts: await Compiled.parts(files, configuration))
        }
    }
#endif
