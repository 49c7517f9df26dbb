// The conversation of the Swift package on this machine: a line of JSON in, a line of fields with tabs out.
// Arguments: folder of the assets, threads, system prompt, folder for what is computed of it ("": none).
import Foundation

@testable import EdgekitModel

func say(_ fields: String...) {
    print(fields.map { Data($0.utf8).base64EncodedString() + "\t" }.joined())
    fflush(stdout)
}

func answered(_ language: any Language, _ loop: ChatLoop, _ asked: Facts) throws {
    switch try asked.text("do") {
    case "clear":
        loop.clear()
        say("cleared")
    case "memory":
        let free = try asked.int("free")
        try FreeMemory.check("it", needed: 2 << 20, mapped: 1 << 20, free: free)
        say("enough")
    case "sample":
        language.sampling(Sampling(temperature: 1, topK: 40, topP: 1, minP: 0, seed: 3))
        say("sampled")
    case "test":
        let report = try loop.selfTest { _ in }
        say(report.passed ? "passed" : "failed", "\(report)")
    default:
        let stop = asked.has("cancel") ? try asked.int("cancel") : Int.max, inside = asked.has("inside")
        var pieces = ""
        let question = Question(
            text: try asked.text("text"), most: try asked.int("most"),
            schema: asked.has("schema") ? try asked.text("schema") : nil, lookUp: asked.has("look_up"))
        let made = try loop.ask(
            question,
            watch: { done in
                if done >= stop && !inside { throw CancellationError() }
                if done >= stop { language.stop(true) }  // as from another thread: what is computed next ends by itself
            }, piece: { pieces += $0 })
        let counts = [made.promptTokens, made.tokens, made.leftOut, made.computed, made.passes]
        say(made.finish, made.text, pieces, "\(counts)")
    }
}

do {
    let folder = URL(fileURLWithPath: CommandLine.arguments[1])
    let description = try ChatDescription(json: Chat.content(folder.appendingPathComponent("chat.json")))
    let language = try NativeLanguage(
        path: folder.appendingPathComponent(description.file).path, context: description.context,
        small: description.small,
        threads: Int(CommandLine.arguments[2]) ?? 1)
    let prompts = CommandLine.arguments[4]
    if !prompts.isEmpty { language.keep(URL(fileURLWithPath: prompts), identity: description.identity) }
    let loop = try ChatLoop(language, description, system: CommandLine.arguments[3])
    while let line = readLine() {
        do {
            try answered(language, loop, Facts(json: Data(line.utf8)))
        } catch is CancellationError {
            say("cancelled")
        } catch let error as ModelError {
            say("error", error.localizedDescription)
        }
    }
} catch {
    say("error", error.localizedDescription)
}
