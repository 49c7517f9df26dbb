import Foundation

/// A point of a body or a hand, in pixels of the picture, also outside of it.
public struct Keypoint: Sendable, Equatable {
    public let name: String
    public let place: PicturePoint
}

/// A body or a hand.
public struct KeypointObject: Sendable, Equatable {
    public let label: String
    /// The probability that there is one, 0...1.
    public let score: Double
    public let points: [Keypoint]
}

/// A picture to the points of bodies or hands: detect, cut out upright, find the points, and lay them back.
struct PictureKeypoints: TaskLoop {
    private let detector: BoxDetector
    private let landmarks: any Graph
    private let input: String
    private let region: Facts
    private let size, most: Int
    private let presence: Double
    private let names: [String]
    /// Pairs of points, by their places in the list, between which a line is drawn.
    let links: [[Int]]

    init(_ parts: [String: any Graph], _ description: Description) throws {
        let facts = description.facts
        guard let landmarks = parts["landmarks"], let input = try description.part("landmarks").inputs.first else {
            throw ModelError.damaged("the part landmarks is missing")
        }
        (self.landmarks, self.input) = (landmarks, input.name)
        detector = try BoxDetector(parts, description, part: "detector", facts.object("detector"))
        region = try facts.object("region")
        size = try facts.int("size")
        most = try facts.int("most")
        presence = try facts.double("presence")
        names = try facts.texts("names")
        links = try (facts.value("links") as [[NSNumber]]).map { $0.map(\.intValue) }
    }

    func answer(_ golden: GoldenInput) async throws -> String {
        Self.text(try await find(Pixels(golden.input("pixels"))))
    }

    /// The things in a picture, those of which the detector is surest first.
    func find(_ picture: Pixels) async throws -> [KeypointObject] {
        var things: [KeypointObject] = []
        for object in try await detector.detect(picture, threshold: detector.threshold).prefix(most) {
            try Task.checkCancellation()
            let square = try TurnedSquare(object, region)
            if square.side >= 1 && square.side < 1e5 {
                things += try await look(object, square, square.cut(picture, size))
            }
        }
        return things
    }

    /// The points of a detected thing; nothing if the second network does not see one.
    private func look(_ object: DetectedObject, _ square: TurnedSquare, _ cut: Pixels) async throws -> [KeypointObject] {
        let made = try await landmarks.run([input: Values(cut.rgb, [1, size, size, 3])])
        guard let score = try made["presence"]?.floats().first, let places = try made["places"]?.floats(),
            places.count == 2 * names.count
        else { throw ModelError.damaged("the network of landmarks gives other points") }
        guard Double(score) >= presence else { return [] }
        let points = names.enumerated().map { i, name in
            Keypoint(name: name, place: square.placed(Double(places[2 * i]), Double(places[2 * i + 1])))
        }
        return [KeypointObject(label: object.label, score: Double(score), points: points)]
    }

    /// The labels, for people.
    static func text(_ things: [KeypointObject]) -> String {
        things.isEmpty ? "nothing" : things.map(\.label).joined(separator: ", ")
    }
}
