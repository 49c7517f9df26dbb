import Foundation

/// What a bundle says of its language model: chat.json. The chat template is there as the texts between messages.
struct ChatDescription {
    let model: String
    /// The .gguf beside it.
    let file: String
    /// Which weights, and which version of the library, compute; what is kept on disk belongs to this pair.
    let identity: String
    /// Tokens of prompt and answer together.
    let context: Int
    /// Whether keys and values have 8 bits.
    let small: Bool
    /// Bytes that the model takes with that context, the mapped weights included.
    let memory: Int
    /// The golden prompt, and how the model was proven to go on with it.
    let prompt: String
    let answer: String
    private let said: [String: String]
    private let grammars: [String: String]
    private let trim: Bool
    /// Whether the texts between messages begin with the token that begins a text.
    let begins: Bool

    init(json: Data) throws {
        let facts = try Facts(json: json)
        let golden = try facts.object("golden"), template = try facts.object("template")
        model = try facts.text("model")
        file = try facts.text("file")
        identity = try facts.text("identity")
        context = try facts.int("context")
        small = try facts.text("cache") == "q8_0"
        memory = try facts.int("memory")
        prompt = try golden.text("prompt")
        answer = try golden.text("answer")
        let names = ["start", "system", "question", "reply", "next", "answer"]
        said = Dictionary(uniqueKeysWithValues: try names.map { ($0, try template.text($0)) })
        trim = try template.value("trim")
        begins = try template.value("begins")
        grammars = try facts.value("grammars")
    }

    /// The grammar of a schema that the package was made with; "" for nil.
    func grammar(_ schema: String?) throws -> String {
        guard let schema else { return "" }
        guard let grammar = grammars[schema] else {
            throw ModelError.badInput("there is no schema \(schema), but \(grammars.keys.sorted())")
        }
        return grammar
    }

    /// The prompt for an answer to the last of `turns`: question, answer, question, ... `system`: "" for none.
    func prompt(system: String, turns: [String]) -> String {
        var text = system.isEmpty ? between("start") : between("system") + content(system) + between("question")
        for (i, turn) in turns.enumerated() {
            text += content(turn) + between(i == turns.count - 1 ? "answer" : i % 2 == 0 ? "reply" : "next")
        }
        return text
    }

    private func between(_ name: String) -> String { said[name] ?? "" }

    private func content(_ text: String) -> String {
        trim ? text.trimmingCharacters(in: .whitespacesAndNewlines) : text
    }
}
