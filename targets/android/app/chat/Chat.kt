package edgekit.phone

import android.app.ActivityManager
import android.content.Context
import android.os.Build
import edgekit.phone.loops.ChatDescription
import edgekit.phone.loops.ChatLoop
import edgekit.phone.loops.Language
import edgekit.phone.loops.NativeLanguage
import java.io.File
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.channels.trySendBlocking
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.channelFlow
import kotlinx.coroutines.launch
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import kotlinx.coroutines.withContext

/**
 * How an answer ended.
 *
 * @property finish "end", "length" (as many tokens as were allowed), "context" (it is full) or "cancelled".
 * @property leftOut oldest turns that were left out of the prompt, for the context is full.
 * @property computed tokens of prompt and answer that were computed; the others were known.
 * @property passes over the model that this took.
 */
public data class Answered(
    val finish: String,
    val promptTokens: Int,
    val tokens: Int,
    val leftOut: Int,
    val computed: Int,
    val passes: Int,
)

/** A conversation with a language model, on this phone alone. One question at a time; others wait. */
public class Chat internal constructor(
    private val language: Language,
    private val loop: ChatLoop,
) : AutoCloseable {
    private val mutex = Mutex()
    private var closed = false

    /** How the last answer that came to its end did so. */
    public var last: Answered? = null
        private set

    /**
     * Answers [text], piece by piece. Cancelling the collector ends it within a token; what was said stays in the history.
     *
     * @param most tokens of the answer.
     * @param schema name of one that the module was made with: the answer is JSON that keeps to it, and whole where
     *     [last] says "end".
     * @param lookUp try tokens that followed before, several in a pass: fewer passes where an answer repeats its
     *     prompt, such as a corrected text. Only for the likeliest tokens without a schema.
     * @throws IllegalArgumentException the text is empty, or alone too long for the context; no such schema.
     * @throws ModelException the library failed, or the model is closed.
     */
    public fun ask(
        text: String,
        most: Int = 512,
        schema: String = "",
        lookUp: Boolean = false,
    ): Flow<String> = channelFlow {
        val question = ChatLoop.Question(text, most, schema, lookUp)
        mutex.withLock {
            val stopping = launch(start = CoroutineStart.UNDISPATCHED) {
                try {
                    awaitCancellation()
                } finally {
                    language.stop(true)
                }
            }
            try {
                withContext(Dispatchers.Default) {
                    val context = currentCoroutineContext()
                    val made = called { loop.ask(question, { _, _ -> context.ensureActive() }) { trySendBlocking(it) } }
                    last = answered(made)
                }
            } finally {
                withContext(NonCancellable) { stopping.cancelAndJoin() }
            }
        }
    }

    /** How tokens are chosen from now on; a temperature of 0, as in the beginning, takes the likeliest. */
    public suspend fun sample(temperature: Float, topK: Int = 40, topP: Float = 0.95f, minP: Float = 0.05f, seed: Int = 0) {
        mutex.withLock { called { language.sampling(temperature, topK, topP, minP, seed) } }
    }

    /** Begins anew. */
    public suspend fun clear(): Unit = mutex.withLock { loop.clear() }

    /** Goes on with the golden prompt, and compares with what the bundle was proven to say. */
    public suspend fun selfTest(): ChatLoop.Report = mutex.withLock {
        withContext(Dispatchers.Default) {
            val context = currentCoroutineContext()
            called { loop.selfTest { _, _ -> context.ensureActive() } }
        }
    }

    /** Gives the memory back. Cancel an answer that is running, and wait for its end, before. */
    override fun close() {
        check(mutex.tryLock()) { "an answer is running" }
        try {
            if (!closed) language.close()
            closed = true
        } finally {
            mutex.unlock()
        }
    }

    private fun answered(made: ChatLoop.Answer) =
        Answered(made.finish, made.promptTokens, made.tokens, made.leftOut, made.computed, made.passes)

    private fun <T> called(work: () -> T): T {
        if (closed) throw ModelException("the model is closed")
        try {
            return work()
        } catch (exception: kotlinx.coroutines.CancellationException) {
            throw exception
        } catch (exception: IllegalStateException) {
            throw ModelException(exception.message ?: "the library failed", exception)
        }
    }

    public companion object {
        private const val ASSETS = "edgekit-model"

        /** The library's source, for a new version computes with other kernels. */
        private const val LIBRARY = "edgekit-library"

        /**
         * Copies the weights on the first launch, maps them, and tests the phone on the golden prompt.
         *
         * @param system a message before all others, which is never left out; "" for the model's own.
         * @param threads more than a phone has fast cores makes it slower.
         * @param prompts folder of this app for what was computed of the system prompt, which is computed once then, such as
         *     `File(context.cacheDir, "prompts")`; the prompt can be read out of it. Null: nothing is kept.
         * @throws ModelException it cannot be used here: memory, room, the processor, damaged assets, other answers.
         * @throws IllegalArgumentException the system prompt leaves no room in the context.
         */
        public suspend fun open(
            context: Context,
            system: String = "",
            threads: Int = (Runtime.getRuntime().availableProcessors() / 2).coerceIn(1, 4),
            prompts: File? = null,
        ): Chat {
            val application = context.applicationContext
            val files = withContext(Dispatchers.IO) { installed(application) }
            val description = ChatDescription(files.bytes("chat.json").decodeToString())
            val language = withContext(Dispatchers.IO) { opened(application, files, description, threads) }
            try {
                if (prompts != null) language.keep(prompts.path, description.identity)
                val chat = Chat(language, ChatLoop(language, description, system))
                val seen = "${Build.FINGERPRINT}\n$LIBRARY"
                if (!files.isNoted(seen)) {
                    val report = chat.selfTest()
                    if (!report.passed()) throw ModelException("the self-test failed: $report")
                    files.note(seen)
                }
                return chat
            } catch (exception: Throwable) {
                language.close()
                throw exception
            }
        }

        private fun installed(context: Context): ModelFiles {
            val files = ModelFiles({ context.assets.open("$ASSETS/$it") }, File(context.noBackupFilesDir, ASSETS))
            files.install(listOf(ChatDescription(files.bytes("chat.json").decodeToString()).file))
            return files
        }

        private fun opened(context: Context, files: ModelFiles, description: ChatDescription, threads: Int): NativeLanguage {
            val memory = ActivityManager.MemoryInfo()
            (context.getSystemService(Context.ACTIVITY_SERVICE) as ActivityManager).getMemoryInfo(memory)
            try {
                ChatLoop.checkMemory(description, memory.availMem)
                return NativeLanguage(files.path(description.file).path, description.context, description.small, threads)
            } catch (exception: IllegalStateException) {
                throw ModelException(exception.message ?: "the model cannot be opened", exception)
            } catch (exception: UnsatisfiedLinkError) {
                throw ModelException("the app has no native library for this processor", exception)
            }
        }
    }
}
