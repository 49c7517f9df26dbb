package edgekit.phone

import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtSession
import android.content.Context
import android.graphics.Bitmap
import edgekit.phone.loops.KeywordDetector
import edgekit.phone.loops.Peer
import edgekit.phone.loops.Tensor
import java.io.EOFException
import java.io.File
import kotlinx.coroutines.Job
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.asFlow
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking

/** An app without a phone: Python sends samples, the API of the modules answers. Arguments: assets, files. */
public fun main(arguments: Array<String>) {
    val context = Context(File(arguments[0]), File(arguments[1]))
    while (true) {
        val given = try {
            Peer.ONE.receive()
        } catch (end: EOFException) {
            return
        }
        val answer = LinkedHashMap<String, Tensor>()
        try {
            runBlocking { answer(context, given, answer) }
        } catch (exception: Exception) {
            answer.clear()
            answer["error"] = text(exception.toString())
        }
        answer["open"] = Tensor.of(longArrayOf(Peer.ONE.open.toLong()), 1)
        answer["native"] = Tensor.of(longArrayOf(OnnxTensor.open.toLong(), OrtSession.open.toLong()), 2)
        Peer.ONE.send("answer", answer)
    }
}

private suspend fun answer(context: Context, given: Map<String, Tensor>, answer: MutableMap<String, Tensor>) {
    val policy = SelfTestPolicy.valueOf(given["policy"]?.let { String(it.bytes()) } ?: "NEVER")
    val options = ModelOptions(threads = 2, selfTest = policy)
    when (String(given.getValue("api").bytes())) {
        "Transcriber" -> Transcriber.open(context, options).use { transcriber ->
            answer["languages"] = text(transcriber.languages.joinToString(" "))
            val samples = given["audio"]?.floats() ?: return answer.report(transcriber.selfTest())
            if ("cancel" in given) return transcriber.cancelled(samples, answer)
            if ("twice" in given) return twice(context, options)
            if ("chunks" in given) return transcriber.streamed(samples, given.getValue("chunks").longs()[0].toInt(), answer)
            val made = transcriber.transcribe(samples, timestamps = "timestamps" in given, words = "words" in given)
            answer["text"] = text(made.text)
            answer["segments"] = text(made.segments.joinToString("\n") { "${it.start}\t${it.end}\t${it.text}" })
            answer["words"] = text(made.words.joinToString("\n") { "${it.word}\t${it.start}\t${it.end}" })
        }
        "Classifier" -> Classifier.open(context, options).use { classifier ->
            val pixels = given["pixels"] ?: return answer.report(classifier.selfTest())
            val (height, width) = pixels.shape()
            val rgb = pixels.bytes()
            val bits = IntArray(height * width) {
                (255 shl 24) or (rgb[3 * it].toInt() and 255 shl 16) or (rgb[3 * it + 1].toInt() and 255 shl 8) or
                    (rgb[3 * it + 2].toInt() and 255)
            }
            val one = classifier.classify(rgb, height, width)
            val other = classifier.classify(Bitmap(bits, width, height, Bitmap.Config.ARGB_8888))
            check(one == other) { "a bitmap and its pixels give other labels" }
            answer["labels"] = text(one.joinToString("\n") { "${it.classIndex}\t${it.label}" })
        }
        "WakeWordDetector" -> WakeWordDetector.open(context, options).use { detector ->
            val samples = given["audio"] ?: return answer.report(detector.selfTest())
            val chunks = KeywordDetector.pcm(samples.floats()).asList().chunked(1000) { it.toShortArray() }
            val events = detector.detect(chunks.asFlow()).toList()
            check(events == detector.detect(chunks.asFlow()).toList()) { "a second collector hears something else" }
            answer["events"] = text(events.joinToString("\n") { "${it.word}\t${it.time}\t${it.score}" })
        }
        "SpeakerVerifier" -> SpeakerVerifier.open(context, options).use { verifier ->
            val samples = given["audio"]?.floats() ?: return answer.report(verifier.selfTest())
            val embedding = verifier.embed(samples)
            check(verifier.compare(embedding, embedding).same)
            answer["embedding"] = Tensor.of(embedding, embedding.size)
        }
        else -> ofTask(context, options, given, answer)
    }
}

/** The classes that are one call each: a sample and its answer, or the self-test. */
private suspend fun ofTask(
    context: Context,
    options: ModelOptions,
    given: Map<String, Tensor>,
    answer: MutableMap<String, Tensor>,
) {
    val pixels = given["pixels"]
    val (height, width) = pixels?.shape() ?: intArrayOf(0, 0)
    val numbers = given["numbers"]?.floats() ?: FloatArray(0)
    when (String(given.getValue("api").bytes())) {
        "SpeechDetector" -> SpeechDetector.open(context, options).use { detector ->
            val samples = given["audio"]?.floats() ?: return answer.report(detector.selfTest())
            val heard = detector.detect(samples)
            val streamed = detector.listen(samples.toList().chunked(1000) { it.toFloatArray() }.asFlow()).toList()
            check(heard.probabilities.take(streamed.size) == streamed) { "a stream is heard otherwise" }
            answer["numbers"] = numbers(heard.spans.flatMap { listOf(it.start, it.end) })
        }
        "MusicTranscriber" -> MusicTranscriber.open(context, options).use { transcriber ->
            val samples = given["audio"]?.floats() ?: return answer.report(transcriber.selfTest())
            answer["numbers"] = numbers(
                transcriber.transcribe(samples).flatMap {
                    listOf(it.start, it.end, it.pitch.toDouble(), it.velocity.toDouble())
                },
            )
        }
        "TextReader" -> TextReader.open(context, options).use { reader ->
            val rgb = pixels?.bytes() ?: return answer.report(reader.selfTest())
            answer["numbers"] = numbers(
                reader.read(rgb, height, width).flatMap { line ->
                    listOf(line.score) + line.corners.flatMap { listOf(it.first, it.second) }
                },
            )
        }
        "Policy" -> Policy.open(context, options).use { policy ->
            if (numbers.isEmpty()) return answer.report(policy.selfTest())
            answer["numbers"] = policy.act(numbers).applied.let { Tensor.of(it, it.size) }
        }
        "ObjectDetector" -> ObjectDetector.open(context, options).use { detector ->
            val rgb = pixels?.bytes() ?: return answer.report(detector.selfTest())
            answer["numbers"] = numbers(
                detector.detect(rgb, height, width).flatMap { box ->
                    listOf(box.score, box.left, box.top, box.right, box.bottom) + box.points.flatMap { listOf(it.x, it.y) }
                },
            )
        }
        "PictureSegmenter" -> PictureSegmenter.open(context, options).use { segmenter ->
            val rgb = pixels?.bytes() ?: return answer.report(segmenter.selfTest())
            answer["numbers"] = numbers(segmenter.segment(rgb, height, width).shares)
        }
        "KeypointDetector" -> KeypointDetector.open(context, options).use { detector ->
            val rgb = pixels?.bytes() ?: return answer.report(detector.selfTest())
            answer["numbers"] = numbers(
                detector.detect(rgb, height, width).flatMap { thing ->
                    listOf(thing.score) + thing.points.flatMap { listOf(it.x, it.y) }
                },
            )
        }
        "Forecaster" -> Forecaster.open(context, options).use { forecaster ->
            if (numbers.isEmpty()) return answer.report(forecaster.selfTest())
            val series = DoubleArray(numbers.size) { numbers[it].toDouble() }
            answer["numbers"] = numbers(forecaster.forecast(series).quantiles.flatten())
        }
        "SpeechSynthesizer" -> SpeechSynthesizer.open(context, options).use { synthesizer ->
            val text = given["text"]?.bytes()?.decodeToString() ?: return answer.report(synthesizer.selfTest())
            val sound = synthesizer.read(text, { error("these are phonemes") })
            check(synthesizer.speak(sound.sentences.joinToString(" ")).samples.contentEquals(sound.samples))
            answer["numbers"] = Tensor.of(sound.samples, sound.samples.size)
        }
        "SoundClassifier" -> SoundClassifier.open(context, options).use { classifier ->
            val samples = given["audio"]?.floats() ?: return answer.report(classifier.selfTest())
            answer["labels"] = text(classifier.classify(samples).joinToString("\n") { "${it.classIndex}\t${it.label}" })
        }
        "CtcTranscriber" -> CtcTranscriber.open(context, options).use { transcriber ->
            val samples = given["audio"]?.floats() ?: return answer.report(transcriber.selfTest())
            answer["text"] = text(transcriber.transcribe(samples))
        }
        "TensorModel" -> TensorModel.open(context, options).use { network ->
            val names = given["names"]?.bytes()?.decodeToString()?.lines() ?: return answer.report(network.selfTest())
            val made = network.run(names.indices.associate { names[it] to given.getValue("tensor $it") })
            check(made.keys.toList() == network.outputs.map { it.name })
            made.values.forEachIndexed { i, tensor ->
                check(tensor.type() == network.outputs[i].type)
                answer["tensor $i"] = tensor
            }
            answer["names"] = text(network.inputs.joinToString("\n") { "${it.name} ${it.type} ${it.shape} ${it.axes}" })
        }
        "SentenceEncoder" -> SentenceEncoder.open(context, options).use { encoder ->
            val text = given["text"]?.bytes()?.decodeToString() ?: return answer.report(encoder.selfTest())
            answer["numbers"] = encoder.embed(text).let { Tensor.of(it, it.size) }
        }
    }
}

private fun numbers(values: List<Double>): Tensor =
    Tensor.of(values.map { it.toFloat() }.toFloatArray(), values.size)

/** Calls one at a time, cancelled while they run and while they wait; a call afterwards works. */
private suspend fun Transcriber.cancelled(samples: FloatArray, answer: MutableMap<String, Tensor>) = runBlocking {
    var steps = 0
    val first = launch { transcribe(samples) { _, _ -> if (++steps == 3) coroutineContext[Job]!!.cancel() } }
    val waiting = async { transcribe(samples) }
    waiting.cancelAndJoin()
    first.join()
    check(first.isCancelled && waiting.isCancelled)
    answer["text"] = text(transcribe(samples).text)
    close()
    val error = runCatching { transcribe(samples) }.exceptionOrNull()
    check(error is ModelException) { "closed, and $error" }
}

/** A stream; the same once more with a last chunk that is no sound; one that is cancelled while it runs; two at a time. */
private suspend fun Transcriber.streamed(samples: FloatArray, size: Int, answer: MutableMap<String, Tensor>) {
    val chunks = samples.toList().chunked(size) { it.toFloatArray() }
    val heard = stream(chunks.asFlow(), language = "en").toList()
    answer["heard"] = text(heard.joinToString("\n") { "${it.text}\t${it.pending}\t${it.notes.joinToString(" ")}" })
    answer["words"] = text(heard.flatMap { it.words }.joinToString("\n") { "${it.word}\t${it.start}\t${it.end}" })
    val odd = chunks.dropLast(1) + listOf(FloatArray(size) { Float.NaN })
    val noted = stream(odd.asFlow(), language = "en").toList()
    check(noted.flatMap { it.notes }.single().contains("not numbers")) { "a chunk is left out in silence" }
    check(noted.flatMap { it.words } == heard.flatMap { it.words }) { "the stream does not go on as before" }
    val cut = stream(chunks.asFlow(), language = "en").take(3).toList()
    check(cut == heard.take(3)) { "a collector that has enough" }
    coroutineScope {
        val some = launch {
            stream(chunks.asFlow(), language = "en").collect { if (it.pending != "") coroutineContext[Job]!!.cancel() }
        }
        some.join()
        check(some.isCancelled)
        val both = List(2) { async { stream(chunks.asFlow(), language = "en").toList() } }.awaitAll()
        check(both.all { it == heard }) { "two streams at a time" }
    }
    val error = runCatching { stream(chunks.asFlow(), language = "xx").toList() }.exceptionOrNull()
    check(error is IllegalArgumentException) { "an unknown language, and $error" }
}

/** Two at once, as when a screen is turned; and a model that is closed while it works. */
private suspend fun twice(context: Context, options: ModelOptions) = coroutineScope {
    val models = List(2) { async(Dispatchers.Default) { Transcriber.open(context, options) } }.awaitAll()
    models.forEach { it.close() }
    models.forEach { it.close() }
    val busy = Transcriber.open(context, options)
    val made = busy.transcribe(FloatArray(48_000) { 0.1f }) { _, _ -> busy.close() }
    check(made.text.isNotEmpty()) { "a call that runs ends well" }
}

private fun MutableMap<String, Tensor>.report(report: SelfTestReport) {
    this["parts"] = text(report.errors.keys.joinToString(" "))
    this["errors"] = report.errors.values.map { it.toFloat() }.toFloatArray().let { Tensor.of(it, it.size) }
    this["passed"] = Tensor.of(longArrayOf(if (report.passed) 1 else 0), 1)
    this["answer"] = text(report.answer)
    this["expected"] = text(report.expected)
}

private fun text(text: String): Tensor = text.encodeToByteArray().let { Tensor.unsigned(it, it.size) }
