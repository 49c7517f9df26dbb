import Foundation

#if os(iOS)
    import os
#endif

/// Memory that this process may still take.
enum FreeMemory {
    /// In bytes; nil where the system does not say.
    static var bytes: Int? {
        #if os(iOS)
            return os_proc_available_memory()
        #elseif os(Linux)
            let lines = (try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8))?.split(separator: "\n") ?? []
            let fields = lines.first { $0.hasPrefix("MemAvailable:") }?.split(separator: " ")
            return fields.flatMap { $0.count > 1 ? Int($0[1]) : nil }.map { $0 * 1024 }
        #else
            return nil
        #endif
    }

    /// - Parameters:
    ///   - needed: bytes that the model takes, its mapped weights included.
    ///   - mapped: of these, the file's: pages that the system may drop and read again, which iOS does not count.
    /// - Throws: `ModelError.refused`, with both numbers.
    static func check(_ model: String, needed: Int, mapped: Int, free: Int? = FreeMemory.bytes) throws {
        if let free, needed - mapped > free {
            throw ModelError.refused(
                "\(model) needs \((needed - mapped) >> 20) MB of memory beside its file, and \(free >> 20) MB are free")
        }
    }
}
