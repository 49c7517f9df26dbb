import Foundation

/// A conversation with a language model, on this device alone. Questions may come from any task: they are answered one at
/// a time; cancelling the task that reads an answer ends it within a token.
public final class Chat: @unchecked Sendable {
    // Unchecked: the loop is touched by one turn at a time only, and `ended` under its lock.
    private let language: any Language
    private let loop: ChatLoop
    private let turns = Turns()
    private let queue = DispatchQueue(label: "edgekit-model.chat", qos: .userInitiated)
    private let lock = NSLock()
    private var ended: Answer?

    init(_ language: any Language, _ loop: ChatLoop) {
        (self.language, self.loop) = (language, loop)
    }

    /// Maps the weights and makes room for the context.
    ///
    /// - Parameters:
    ///   - system: a message before all others, which is never left out; "" for the model's own.
    ///   - threads: more than a phone has fast cores makes it slower.
    ///   - prompts: a folder of this app for what was computed of the system prompt, which is computed once then, such as
    ///     one in `URL.cachesDirectory`; the prompt can be read out of it. nil: nothing is kept.
    /// - Throws: `ModelError`: damaged resources, too little memory, a processor that lacks what was compiled for, a
    ///   system prompt that leaves no room in the context.
    public convenience init(
        system: String = "", threads: Int = min(4, max(1, ProcessInfo.processInfo.activeProcessorCount / 2)),
        prompts: URL? = nil
    ) async throws {
        let folder = try Chat.resources()
        let description = try ChatDescription(json: Chat.content(folder.appendingPathComponent("chat.json")))
        let file = folder.appendingPathComponent(description.file)
        let mapped = (try? file.resourceValues(forKeys: [.fileSizeKey]).fileSize) ?? 0
        try FreeMemory.check(description.model, needed: description.memory, mapped: mapped)
        let language = try NativeLanguage(
            path: file.path, context: description.context, small: description.small, threads: threads)
        if let prompts { language.keep(prompts, identity: description.identity) }
        self.init(language, try ChatLoop(language, description, system: system))
    }

    /// How the last answer that came to its end did so.
    public var last: Answer? { lock.withLock { ended } }

    /// The answer to `text`, piece by piece, in whole characters. What was said before a cancellation stays in the history.
    ///
    /// The stream throws `ModelError`: the text is empty, or alone too long for the context, there is no such schema, or
    /// the library failed.
    ///
    /// - Parameters:
    ///   - most: tokens of the answer.
    ///   - schema: name of one that the package was made with: the answer is JSON that keeps to it, and whole where `last`
    ///     says "end".
    ///   - lookUp: try tokens that followed before, several in a pass: fewer passes where an answer repeats its prompt,
    ///     such as a corrected text. Only for the likeliest tokens without a schema.
    public func ask(
        _ text: String, most: Int = 512, schema: String? = nil, lookUp: Bool = false
    ) -> AsyncThrowingStream<String, any Error> {
        let question = Question(text: text, most: most, schema: schema, lookUp: lookUp)
        return AsyncThrowingStream { stream in
            let work = Task {
                do {
                    let made = try await alone { loop, watch in
                        try loop.ask(question, watch: watch) { stream.yield($0) }
                    }
                    lock.withLock { ended = made }
                    stream.finish()
                } catch {
                    stream.finish(throwing: error)
                }
            }
            stream.onTermination = { _ in work.cancel() }
        }
    }

    /// How tokens are chosen from now on; a temperature of 0, as in the beginning, takes the likeliest.
    public func sample(_ sampling: Sampling) async throws {
        try await alone { [language] _, _ in language.sampling(sampling) }
    }

    /// Begins anew.
    public func clear() async throws {
        try await alone { loop, _ in loop.clear() }
    }

    /// Goes on with the golden prompt, and compares with what the bundle was proven to say. Once after an installation is
    /// enough.
    public func selfTest() async throws -> ChatReport {
        try await alone { loop, watch in try loop.selfTest(watch: watch) }
    }

    /// Runs `work` when its turn comes, on a thread of its own: a token takes longer than tasks may hold theirs.
    private func alone<T: Sendable>(
        _ work: @escaping @Sendable (ChatLoop, (Int) throws -> Void) throws -> T
    ) async throws -> T {
        try await turns.take { [self] in
            let cancelled = Flag()
            return try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { done in
                    queue.async { [self] in
                        done.resume(
                            with: Result { try work(loop) { _ in if cancelled.isSet { throw CancellationError() } } })
                    }
                }
            } onCancel: {
                cancelled.set()  // first: the loop takes back a stop that came before its beginning
                language.stop(true)
            }
        }
    }

    static func resources() throws -> URL {
        guard let folder = Bundle.module.url(forResource: "Model", withExtension: nil) else {
            throw ModelError.damaged("the package has lost its resources")
        }
        return folder
    }

    static func content(_ file: URL) throws -> Data {
        do {
            return try Data(contentsOf: file, options: .mappedIfSafe)
        } catch {
            throw ModelError.damaged("\(file.lastPathComponent) cannot be read: \(error.localizedDescription)")
        }
    }
}

/// A signal that any thread may set.
private final class Flag: @unchecked Sendable {
    private let lock = NSLock()
    private var value = false

    var isSet: Bool { lock.withLock { value } }
    func set() { lock.withLock { value = true } }
}
