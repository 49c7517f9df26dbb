#if canImport(CoreAI)
    import CoreAI

    extension EdgekitAPI {
        /// Opens the model. At the first launch the system prepares it for this device, which takes seconds.
        ///
        /// - Parameter options: where it may run.
        /// - Throws: `ModelError`, `CancellationError`.
        public convenience init(options: SpecializationOptions = .default) async throws {
            let files = try ModelFiles.bundled()
            try self.init(files, parts: await CoreAIGraph.parts(files, options))
        }
    }
#endif
