package edgekit.phone

import edgekit.phone.loops.ChatDescription
import edgekit.phone.loops.ChatLoop
import edgekit.phone.loops.Language
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking

/** Says "a b c ..."; once told to be slow, a token lasts until it is stopped. */
private class Letters : Language {
    @Volatile
    var stopped = false

    @Volatile
    var slow = false
    private var at = 0

    override fun tokens(text: ByteArray, special: Boolean, begin: Boolean) = IntArray(text.size)

    override fun piece(token: Int) = "${'a' + token} ".toByteArray()

    override fun sampling(temperature: Float, topK: Int, topP: Float, minP: Float, seed: Int) = Unit

    override fun grammar(grammar: ByteArray) = 0

    override fun begin(tokens: IntArray) = 0

    override fun choose() = next()

    override fun guesses() = false

    override fun attempt(tokens: IntArray) = Language.FAILED

    override fun computed() = 0L

    override fun passes() = 0L

    override fun read(tokens: IntArray): Int {
        at = 0
        return 0
    }

    override fun next(): Int {
        while (slow && at > 0 && !stopped) Thread.sleep(1)
        return if (stopped) Language.STOPPED else at++
    }

    override fun margin(text: ByteArray) = 0f

    override fun stop(stop: Boolean) {
        stopped = stop
    }

    override fun close() = Unit
}

private val DESCRIPTION = """
    {"model": "letters", "file": "none", "identity": "", "context": 4096, "cache": "f16", "memory": 1, "golden": {"prompt": "", "answer": ""},
     "template": {"start": "", "system": "", "question": "", "reply": "", "next": "", "answer": "",
                  "begins": false, "trim": false}, "grammars": {}}
""".trimIndent()

/** Collects answers: whole, the first pieces of, and one that is cancelled while a token is computed. */
public fun main(): Unit = runBlocking {
    val letters = Letters()
    val chat = Chat(letters, ChatLoop(letters, ChatDescription(DESCRIPTION), ""))
    println(chat.ask("hello", most = 4).toList().joinToString(""))
    println("${chat.last?.finish} ${chat.last?.tokens}")
    println(chat.ask("hello", most = 99).take(2).toList().joinToString(""))
    letters.slow = true
    val said = StringBuilder()
    val job = launch { chat.ask("hello", most = 99).collect { said.append(it) } }
    while (said.isEmpty()) kotlinx.coroutines.delay(1)
    job.cancelAndJoin()
    println(said)
    chat.close()
    try {
        chat.ask("hello").collect {}
    } catch (exception: ModelException) {
        println(exception.message)
    }
}
