package edgekit.phone

import ai.onnxruntime.OnnxJavaType
import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtException
import ai.onnxruntime.OrtSession
import ai.onnxruntime.TensorInfo
import android.system.Os
import edgekit.phone.loops.Description
import edgekit.phone.loops.Graph
import edgekit.phone.loops.Tensor
import java.io.File
import java.nio.ByteBuffer
import java.nio.FloatBuffer
import java.nio.IntBuffer
import java.nio.LongBuffer

/** Opens a part by its path, so that the runtime reads or maps it by itself. */
internal fun openGraph(file: File, part: Description.Part, threads: Int): Graph =
    mapped("open the part ${part.name}") { OnnxGraph(file, part.name, threads) }

/** One part in ONNX Runtime. What it gives stays in the runtime's memory until somebody looks at it. */
internal class OnnxGraph(file: File, private val name: String, threads: Int) : Graph() {
    private val environment = quietEnvironment()
    private val session = OrtSession.SessionOptions().use { options ->
        options.setIntraOpNumThreads(threads)
        options.setInterOpNumThreads(1)
        // The threads of a part do not spin behind its run: the next part needs their processors.
        options.addConfigEntry("session.force_spinning_stop", "1")
        environment.createSession(file.path, options)
    }

    override fun run(inputs: Map<String, Tensor>): Map<String, Tensor> = mapped("run the part $name") {
        val made = ArrayList<OnnxTensor>()
        try {
            val feeds = inputs.mapValues { (_, tensor) ->
                (tensor as? OnnxResult)?.tensor ?: native(tensor).also(made::add)
            }
            // The result is not closed: each of its tensors is, by who takes it.
            session.run(feeds).associate { it.key to OnnxResult(it.value as OnnxTensor) }
        } finally {
            made.forEach { it.close() }
        }
    }

    private fun native(tensor: Tensor): OnnxTensor {
        val shape = LongArray(tensor.shape().size) { tensor.shape()[it].toLong() }
        return when (tensor.type()) {
            Tensor.Type.FLOAT32 -> OnnxTensor.createTensor(environment, FloatBuffer.wrap(tensor.floats()), shape)
            Tensor.Type.INT64 -> OnnxTensor.createTensor(environment, LongBuffer.wrap(tensor.longs()), shape)
            Tensor.Type.INT32 -> OnnxTensor.createTensor(environment, IntBuffer.wrap(tensor.ints()), shape)
            Tensor.Type.UINT8, Tensor.Type.INT8, Tensor.Type.BOOL -> {
                val type = OnnxJavaType.valueOf(tensor.type().name)
                OnnxTensor.createTensor(environment, ByteBuffer.wrap(tensor.bytes()), shape, type)
            }
        }
    }

    override fun close() {
        session.close()
    }
}

/** The environment, which reports nothing to its maker: official builds do unless told otherwise before they are loaded. */
private fun quietEnvironment(): OrtEnvironment {
    Os.setenv("ORT_DISABLE_TELEMETRY", "1", true)
    return OrtEnvironment.getEnvironment().apply { setTelemetry(false) }
}

/** An output that ONNX Runtime holds. */
private class OnnxResult(val tensor: OnnxTensor) : Tensor(typeOf(tensor.info), shapeOf(tensor.info)) {
    private var closed = false

    override fun floats(): FloatArray = tensor.floatBuffer.let { from -> FloatArray(from.remaining()).also { from.get(it) } }

    override fun longs(): LongArray = tensor.longBuffer.let { from -> LongArray(from.remaining()).also { from.get(it) } }

    override fun ints(): IntArray = tensor.intBuffer.let { from -> IntArray(from.remaining()).also { from.get(it) } }

    override fun bytes(): ByteArray = tensor.byteBuffer.let { from -> ByteArray(from.remaining()).also { from.get(it) } }

    override fun close() {
        if (!closed) tensor.close()
        closed = true
    }

    private companion object {
        fun typeOf(info: TensorInfo): Type = when (info.type) {
            OnnxJavaType.FLOAT -> Type.FLOAT32
            OnnxJavaType.INT64 -> Type.INT64
            OnnxJavaType.INT32 -> Type.INT32
            OnnxJavaType.BOOL -> Type.BOOL
            OnnxJavaType.UINT8 -> Type.UINT8
            OnnxJavaType.INT8 -> Type.INT8
            else -> throw ModelException("the model gives ${info.type}, which no loop knows")
        }

        fun shapeOf(info: TensorInfo): IntArray = IntArray(info.shape.size) { info.shape[it].toInt() }
    }
}

private inline fun <T> mapped(what: String, work: () -> T): T =
    try {
        work()
    } catch (exception: OrtException) {
        throw ModelException("ONNX Runtime cannot $what: ${exception.message}", exception)
    }
