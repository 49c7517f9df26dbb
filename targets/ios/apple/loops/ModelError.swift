import Foundation

/// What can go wrong, with a sentence for the log.
public enum ModelError: Error, Equatable, LocalizedError {
    /// The input cannot be used (too short, silent, not numbers, an unknown language).
    case badInput(String)
    /// The model's files are not what they were.
    case damaged(String)
    /// The runtime refuses the model on this device.
    case refused(String)

    public var errorDescription: String? {
        switch self {
        case .badInput(let why), .damaged(let why), .refused(let why): return why
        }
    }
}
