import Foundation

/// A picture to its text: detect lines, cut them out, turn them, read them, put them in order.
struct PictureText: TaskLoop {
    /// Into which a picture is cut for the self-test.
    private static let strips = 4

    private let parts: [String: any Graph]
    private let lines: Facts
    private let characters: [String]
    private let side, height, width, turnWidth: Int
    private let turned, least: Double

    init(_ parts: [String: any Graph], _ description: Description) throws {
        let facts = description.facts
        self.parts = parts
        lines = try facts.object("lines")
        characters = try facts.texts("characters")
        side = try facts.int("side")
        height = try facts.int("height")
        width = try facts.int("width")
        turnWidth = try facts.int("turn_width")
        turned = try facts.double("turned")
        least = try facts.double("least")
    }

    /// The lines of a picture from above, and of those that stand side by side from the left.
    func read(_ picture: Pixels) async throws -> [TextLine] {
        let placed = try placed(picture)
        let chances = try await run("detector", "pixels", placed.pixels.rgb, side, side, "chances")
        var read: [TextLine] = []
        for corners in try TextRegions.lines(chances, side: side, lines) {
            // A pixel of the map stands for its middle.
            let places = corners.map { placed.back(($0.x + 0.5) / Double(side), ($0.y + 0.5) / Double(side)) }
            let line = try await line(picture, places)
            if line.text.contains(where: { !$0.isWhitespace }) && line.score >= least {
                read.append(line)
            }
        }
        return TextLine.ordered(read)
    }

    /// What stands in four strips of the picture, for where a line is cut moves with the last digits.
    func answer(_ golden: GoldenInput) async throws -> String {
        let picture = try Pixels(golden.input("pixels"))
        _ = try await run("detector", "pixels", placed(picture).pixels.rgb, side, side, "chances")
        var texts: [String] = []
        for i in 0..<Self.strips {
            let top = Double(picture.height) * Double(i) / Double(Self.strips)
            let bottom = Double(picture.height) * Double(i + 1) / Double(Self.strips), right = Double(picture.width)
            let strip = [(0, top), (right, top), (right, bottom), (0, bottom)].map { PicturePoint(x: $0.0, y: $0.1) }
            texts.append(try await line(picture, strip).text)
        }
        return texts.joined(separator: "\n")
    }

    private func placed(_ picture: Pixels) throws -> PlacedPicture {
        try PlacedPicture(picture, Facts(["letterbox": true]), height: side, width: side)
    }

    private func run(
        _ part: String, _ input: String, _ pixels: [UInt8], _ high: Int, _ wide: Int, _ output: String
    ) async throws -> [Float] {
        guard let graph = parts[part] else { throw ModelError.damaged("the part \(part) is missing") }
        try Task.checkCancellation()
        return try await graph.run([input: Values(pixels, [1, high, wide, 3])], giving: output).floats()
    }

    private func line(_ picture: Pixels, _ corners: [PicturePoint]) async throws -> TextLine {
        var line = LinePicture(picture, corners), first = line.pixels.width >= line.pixels.height ? 0 : 1
        let whole = line.pieces(height, most: .max)[0].filled(turnWidth)
        if Double(try await run("turn", "line", whole, height, turnWidth, "probabilities")[1]) > turned {
            line = line.turned(half: true)
            first += 2
        }
        var text = "", sure: [Double] = []
        for piece in line.pieces(height, most: width) {
            letters(try await run("recogniser", "line", piece.filled(width), height, width, "logits"), &text, &sure)
        }
        let score = sure.isEmpty ? 0 : sure.reduce(0, +) / Double(sure.count)
        return TextLine(text: text, score: score, corners: (0..<4).map { corners[($0 + first) % 4] })
    }

    /// Adds the best class of each step, of equal ones in a row the first, without blanks (class 0).
    private func letters(_ logits: [Float], _ text: inout String, _ sure: inout [Double]) {
        let classes = characters.count + 1
        var before = 0
        for at in stride(from: 0, to: logits.count, by: classes) {
            let step = Array(logits[at..<at + classes]), best = Numbers.argmax(step)
            if best != 0 && best != before {
                text += characters[best - 1]
                sure.append(1 / step.reduce(0) { $0 + exp(Double($1 - step[best])) })
            }
            before = best
        }
    }
}
