package edgekit.phone

import android.content.Context
import android.os.Build
import edgekit.phone.loops.Description
import edgekit.phone.loops.Graph
import edgekit.phone.loops.SelfTest
import edgekit.phone.loops.TaskLoop
import edgekit.phone.loops.Tensor
import edgekit.phone.loops.Vectors
import edgekit.phone.loops.Watch
import java.io.DataInputStream
import java.io.File
import java.util.concurrent.atomic.AtomicBoolean
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.withContext

/** Makes a task's loop over the parts of a model. */
internal typealias Make<L> = (parts: Map<String, Graph>, description: Description) -> L

/** What the model says of itself. */
internal fun ModelFiles.description(): Description {
    val words = "vocabulary.bin"
    return Description(bytes("model.json").decodeToString(), if (words in this) bytes(words) else ByteArray(0))
}

/** The graphs of the model, opened, and its task's loop over them, which is used by one coroutine at a time. */
internal class Model<L : TaskLoop> private constructor(
    private val description: Description,
    private val parts: Map<String, Graph>,
    private val files: ModelFiles,
    private val make: Make<L>,
) : AutoCloseable {
    val loop: L = make(parts, description)
    private val mutex = Mutex()
    private val closed = AtomicBoolean()
    private var released = false

    /**
     * Runs [work] off the main thread, one at a time. Between calls of the network it ends when the coroutine is cancelled.
     *
     * @throws ModelException the runtime failed, or the model is closed.
     */
    suspend fun <T> use(onProgress: (Double, Double) -> Unit = { _, _ -> }, work: (Watch) -> T): T {
        mutex.lock()
        try {
            if (closed.get()) throw ModelException("the model is closed")
            return withContext(Dispatchers.Default) {
                val context = currentCoroutineContext()
                work { done, total ->
                    context.ensureActive()
                    onProgress(done, total)
                }
            }
        } finally {
            mutex.unlock()
            if (closed.get()) release()
        }
    }

    /** Gives the memory back, at once or when the call that is running ends. */
    override fun close() {
        closed.set(true)
        release()
    }

    /** Closes the parts, once, unless a call is running: then its end comes here again. */
    private fun release() {
        if (!mutex.tryLock()) return
        try {
            if (!released) parts.values.forEach { it.close() }
            released = true
        } finally {
            mutex.unlock()
        }
    }

    /** What this phone makes of the golden input. */
    suspend fun selfTest(): SelfTestReport = use { watch ->
        val golden = vectors("golden/input.bin")
        val reference = vectors("golden/reference.bin")
        SelfTestReport.of(SelfTest.run(parts, reference, description) { make(it, description).answer(golden, watch) })
    }

    private fun vectors(name: String): Map<String, Tensor> =
        DataInputStream(files.bytes(name).inputStream()).use(Vectors::read)

    internal companion object {
        /** The assets' folder, which is this module's alone. */
        private const val ASSETS = "edgekit-model"

        /** The runtime that the self-test has seen, for a new version computes with other kernels. */
        private const val RUNTIME = "edgekit-runtime"

        /**
         * Copies the files, opens the graphs, and tests them as [options] say.
         *
         * @throws ModelException the assets are damaged, there is no room, or the runtime refuses a graph.
         * @throws SelfTestFailed the phone computes something else.
         */
        suspend fun <L : TaskLoop> open(context: Context, options: ModelOptions, make: Make<L>): Model<L> {
            val model = withContext(Dispatchers.IO) { opened(context.applicationContext, options, make) }
            try {
                val seen = "${Build.FINGERPRINT}\n$RUNTIME"
                val wanted = options.selfTest == SelfTestPolicy.ALWAYS ||
                    (options.selfTest == SelfTestPolicy.FIRST_LAUNCH && !model.files.isNoted(seen))
                if (wanted) {
                    val report = model.selfTest()
                    if (!report.passed) throw SelfTestFailed(report)
                    withContext(Dispatchers.IO) { model.files.note(seen) }
                }
                return model
            } catch (exception: Throwable) {
                model.close()
                throw exception
            }
        }

        private fun <L : TaskLoop> opened(context: Context, options: ModelOptions, make: Make<L>): Model<L> {
            val assets = context.assets
            // Not backed up, for it can be copied again.
            val files = ModelFiles({ assets.open("$ASSETS/$it") }, File(context.noBackupFilesDir, ASSETS))
            val description = files.description()
            files.install(description.parts.map { it.file })
            val parts = LinkedHashMap<String, Graph>()
            try {
                for (part in description.parts) {
                    parts[part.name] = openGraph(files.path(part.file), part, options.threads)
                }
                return Model(description, parts, files, make)
            } catch (exception: Throwable) {
                parts.values.forEach { it.close() }
                throw exception
            }
        }
    }
}
