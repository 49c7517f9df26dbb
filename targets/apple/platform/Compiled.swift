#if canImport(CoreML)
    import CoreML
    import Foundation

    /// The parts, compiled for this device at first launch. What was compiled is kept in the app's own folder for later
    /// launches, and made anew when the bundle or the system changes.
    enum Compiled {
        static func parts(_ files: ModelFiles, _ configuration: MLModelConfiguration) async throws -> [String: any Graph] {
            var found: [String: any Graph] = [:]
            for part in files.description.parts {
                try Task.checkCancellation()
                let compiled = try await place(of: part, files)
                found[part.name] = try CoreMLGraph(part, compiled: compiled, configuration: configuration)
            }
            return found
        }

        private static func place(of part: Description.Part, _ files: ModelFiles) async throws -> URL {
            let manager = FileManager.default
            let support = try manager.url(
                for: .applicationSupportDirectory, in: .userDomainMask, appropriateFor: nil, create: true)
            let system = ProcessInfo.processInfo.operatingSystemVersion
            let version = "\(system.majorVersion).\(system.minorVersion).\(system.patchVersion)"
            let mine = support.appendingPathComponent("edgekit-model", isDirectory: true)
            let folder = mine.appendingPathComponent("\(files.description.digest.prefix(16))-\(version)", isDirectory: true)
            let place = folder.appendingPathComponent("\(part.name).mlmodelc", isDirectory: true)
            if manager.fileExists(atPath: place.path) {
                return place
            }
            for old in (try? manager.contentsOfDirectory(at: mine, includingPropertiesForKeys: nil)) ?? []
            where old.lastPathComponent != folder.lastPathComponent {
                try? manager.removeItem(at: old)
            }
            try manager.createDirectory(at: folder, withIntermediateDirectories: true)
            let package = files.folder.appendingPathComponent(part.file)
            let made = try await MLModel.compileModel(at: package)
            defer { try? manager.removeItem(at: made) }
            do {
                try manager.moveItem(at: made, to: place)
            } catch where manager.fileExists(atPath: place.path) {
                // Another instance of the app's own was faster.
            }
            return place
        }
    }
#endif
