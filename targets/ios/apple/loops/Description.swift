import Foundation

/// What a bundle says about itself: its parts, and the facts that the loops need. Read from model.json.
struct Description {
    /// One input or output of a part. Dynamic axes have size -1, and a name; the others have none.
    struct Spec {
        let name: String
        let type: String
        let shape: [Int]
        let axes: [String?]

        fileprivate init(_ facts: Facts) throws {
            name = try facts.text("name")
            type = try facts.text("dtype")
            let sizes: [Any] = try facts.value("shape")
            shape = sizes.map { ($0 as? NSNumber)?.intValue ?? -1 }
            axes = sizes.map { $0 as? String }
        }
    }

    /// One graph: its name, its file beside model.json, its inputs and outputs.
    struct Part {
        let name: String
        let file: String
        let inputs: [Spec]
        let outputs: [Spec]
    }

    let model: String
    let family: String
    /// Changes whenever a file of the bundle does.
    let digest: String
    /// Part to how far it may be from the fp32 reference: relative, root mean square.
    let limits: [String: Double]
    /// What the model answers to its golden input.
    let answer: String
    let parts: [Part]
    let facts: Facts
    /// The tokens of those that read or write texts, from vocabulary.bin; empty where there are none.
    let vocabulary: Data

    init(json: Data, vocabulary: Data) throws {
        self.vocabulary = vocabulary
        let document = try Facts(json: json)
        model = try document.text("model")
        family = try document.text("family")
        digest = (try? document.text("bundle")) ?? ""
        answer = try document.text("answer")
        facts = try document.object("facts")
        parts = try document.objects("parts").map {
            Part(
                name: try $0.text("name"), file: try $0.text("file"), inputs: try $0.objects("inputs").map(Spec.init),
                outputs: try $0.objects("outputs").map(Spec.init))
        }
        let limits = try document.object("limits")
        self.limits = try Dictionary(uniqueKeysWithValues: parts.map { ($0.name, try limits.double($0.name)) })
    }

    func part(_ name: String) throws -> Part {
        guard let part = parts.first(where: { $0.name == name }) else {
            throw ModelError.damaged("the bundle has no part \(name)")
        }
        return part
    }
}
