#if canImport(CoreML)
    import CoreML
    import Foundation

    /// The parts, compiled for this device at first launch. What was compiled is kept in the app's own folder for later
    /// launches, and made anew when the bundle or the system changes.
    enum Compiled {
        static func parts(_ files: ModelFiles, _ configuration: MLModelConfiguration) async throws -> [String: any Graph] {
            var graphs: [String: any Graph] = [:]
            for part in files.description.parts {
                try Task.checkCancellation()
                let compiled = try await place(of: part, files)
                graphs[part.name] = try await CoreMLGraph(part, compiled: compiled, configuration: configuration)
            }
            return graphs
        }

        private static func place(of part: Description.Part, _ files: ModelFiles) async throws -> URL {
            do {
                let folder = try folder(files)
                let place = folder.appendingPathComponent("\(part.name).mlmodelc", isDirectory: true)
                if !FileManager.default.fileExists(atPath: place.path) {
                    try await compile(files.folder.appendingPathComponent(part.file), to: place)
                }
                return place
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                throw ModelError.refused("\(part.file) cannot be compiled here: \(error.localizedDescription)")
            }
        }

        /// Of this bundle on this system; what others left is removed. A device's backup has no use for it.
        private static func folder(_ files: ModelFiles) throws -> URL {
            let manager = FileManager.default
            let support = try manager.url(
                for: .applicationSupportDirectory, in: .userDomainMask, appropriateFor: nil, create: true)
            let system = ProcessInfo.processInfo.operatingSystemVersion
            let version = "\(system.majorVersion).\(system.minorVersion).\(system.patchVersion)"
            var mine = support.appendingPathComponent("edgekit-model", isDirectory: true)
            let folder = mine.appendingPathComponent("\(files.description.digest.prefix(16))-\(version)", isDirectory: true)
            if manager.fileExists(atPath: folder.path) {
                return folder
            }
            for old in (try? manager.contentsOfDirectory(at: mine, includingPropertiesForKeys: nil)) ?? [] {
                try? manager.removeItem(at: old)
            }
            try manager.createDirectory(at: folder, withIntermediateDirectories: true)
            var values = URLResourceValues()
            values.isExcludedFromBackup = true
            try mine.setResourceValues(values)
            return folder
        }

        private static func compile(_ package: URL, to place: URL) async throws {
            let manager = FileManager.default
            let made = try await MLModel.compileModel(at: package)
            defer { try? manager.removeItem(at: made) }
            do {
                try manager.moveItem(at: made, to: place)
            } catch where manager.fileExists(atPath: place.path) {
                // Another instance of the app's own was faster.
            }
        }
    }
#endif
