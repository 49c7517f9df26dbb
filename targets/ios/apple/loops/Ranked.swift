/// A label, its class and its score.
public struct Ranked: Sendable, Equatable {
    public let label: String
    public let classIndex: Int
    public let score: Float

    /// The labels with the largest scores, the best first; of equal ones the later class.
    static func best(_ top: Int, of scores: [Float], _ labels: [String]) throws -> [Ranked] {
        guard scores.count == labels.count else { throw ModelError.damaged("the network has other classes than labels") }
        let order = scores.indices.sorted { scores[$0] != scores[$1] ? scores[$0] > scores[$1] : $0 > $1 }
        return order.prefix(max(1, top)).map { Ranked(label: labels[$0], classIndex: $0, score: scores[$0]) }
    }
}
