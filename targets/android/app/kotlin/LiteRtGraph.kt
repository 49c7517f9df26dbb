package edgekit.phone

import edgekit.phone.loops.Description
import edgekit.phone.loops.Graph
import edgekit.phone.loops.Tensor
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.tensorflow.lite.DataType
import org.tensorflow.lite.Interpreter

/** Opens a part by its path, so that the runtime maps it by itself. */
internal fun openGraph(file: File, part: Description.Part, threads: Int): Graph = LiteRtGraph(file, part, threads)

/** One part in LiteRT. Its inputs and outputs are known by their places, which the bundle's description has in order. */
internal class LiteRtGraph(private val file: File, private val part: Description.Part, private val threads: Int) :
    Graph() {
    private var interpreter = opened()

    private fun opened(): Interpreter = mapped("open") {
        Interpreter(file, Interpreter.Options().setNumThreads(threads))
    }

    override fun run(inputs: Map<String, Tensor>): Map<String, Tensor> = mapped("run") {
        val feeds = part.inputs.map { inputs.getValue(it.name) }
        feeds.forEachIndexed { i, tensor ->
            if (!interpreter.getInputTensor(i).shape().contentEquals(tensor.shape())) {
                interpreter.resizeInput(i, tensor.shape())
            }
        }
        interpreter.allocateTensors()
        val outputs = part.outputs.indices.associateWith { room(interpreter.getOutputTensor(it).numBytes()) }
        val buffers = Array<Any>(feeds.size) { native(feeds[it], interpreter.getInputTensor(it).dataType()) }
        interpreter.runForMultipleInputsOutputs(buffers, outputs)
        part.outputs.indices.associate { i -> part.outputs[i].name to heap(i, outputs.getValue(i)) }
    }

    /** Forgets the state of a streaming network, which goes only with its interpreter. */
    override fun reset() {
        val fresh = opened()
        interpreter.close()
        interpreter = fresh
    }

    override fun close() {
        interpreter.close()
    }

    /** LiteRT's files have 32 bits where the loops have whole numbers of 64. */
    private fun native(tensor: Tensor, type: DataType): ByteBuffer {
        val size = tensor.size()
        return when (tensor.type()) {
            Tensor.Type.FLOAT32 -> room(4 * size).apply { asFloatBuffer().put(tensor.floats()) }
            Tensor.Type.INT64 ->
                if (type == DataType.INT32) {
                    room(4 * size).apply { asIntBuffer().put(tensor.longs().map(Long::toInt).toIntArray()) }
                } else {
                    room(8 * size).apply { asLongBuffer().put(tensor.longs()) }
                }
            Tensor.Type.INT32 -> room(4 * size).apply { asIntBuffer().put(tensor.ints()) }
            Tensor.Type.UINT8, Tensor.Type.INT8, Tensor.Type.BOOL -> room(size).apply { put(tensor.bytes()).rewind() }
        }
    }

    private fun heap(i: Int, from: ByteBuffer): Tensor {
        from.rewind()
        val shape = interpreter.getOutputTensor(i).shape()
        return when (val type = interpreter.getOutputTensor(i).dataType()) {
            DataType.FLOAT32 ->
                Tensor.of(FloatArray(from.remaining() / 4).also { from.asFloatBuffer().get(it) }, *shape)
            DataType.INT32 -> whole(i, IntArray(from.remaining() / 4).also { from.asIntBuffer().get(it) }, shape)
            DataType.INT64 -> Tensor.of(LongArray(from.remaining() / 8).also { from.asLongBuffer().get(it) }, *shape)
            DataType.UINT8 -> Tensor.unsigned(ByteArray(from.remaining()).also { from.get(it) }, *shape)
            DataType.INT8 -> Tensor.signed(ByteArray(from.remaining()).also { from.get(it) }, *shape)
            DataType.BOOL -> Tensor.bytes(Tensor.Type.BOOL, ByteArray(from.remaining()).also { from.get(it) }, *shape)
            else -> throw ModelException("the model gives $type, which no loop knows")
        }
    }

    /** Whole numbers of 32 bits, as wide as the bundle says. */
    private fun whole(i: Int, values: IntArray, shape: IntArray): Tensor =
        if (part.outputs[i].dtype == "int32") {
            Tensor.of(values, *shape)
        } else {
            Tensor.of(LongArray(values.size) { values[it].toLong() }, *shape)
        }

    private fun room(size: Int): ByteBuffer = ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder())

    private inline fun <T> mapped(what: String, work: () -> T): T =
        try {
            work()
        } catch (exception: IllegalArgumentException) {
            throw ModelException("LiteRT cannot $what the part ${part.name}: ${exception.message}", exception)
        } catch (exception: IllegalStateException) {
            throw ModelException("LiteRT cannot $what the part ${part.name}: ${exception.message}", exception)
        }
}
