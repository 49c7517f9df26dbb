package edgekit.phone

import edgekit.phone.loops.Json
import java.io.File
import java.io.FileOutputStream
import java.io.IOException
import java.io.InputStream
import java.io.RandomAccessFile
import java.security.MessageDigest
import java.util.Locale

/**
 * The model's assets as files that a runtime opens by path: never through the Java heap.
 *
 * A file is named after the sha256 of its content. It is copied beside its place, hashed on the way, flushed to the disk
 * and then renamed, so a killed app leaves no half file; an update of the app copies only what has changed.
 *
 * @param open opens an asset by its name in the list of files.
 * @param folder where the files go; of this model alone.
 */
internal class ModelFiles(private val open: (String) -> InputStream, private val folder: File) {
    private class Entry(val name: String, val size: Long, val sha256: String) {
        val file: String get() = sha256 + "." + name.substringAfterLast('.', "bin")
    }

    private val list = open(LIST).use { it.readBytes() }
    private val entries = entries(list).associateBy { it.name }

    /** Changes whenever an asset does. */
    val version: String = hex(MessageDigest.getInstance("SHA-256").digest(list))

    operator fun contains(name: String): Boolean = name in entries

    /** The small ones, read where they are, and checked. */
    fun bytes(name: String): ByteArray {
        val content = open(name).use { it.readBytes() }
        if (hex(MessageDigest.getInstance("SHA-256").digest(content)) != entry(name).sha256) throw damaged(name)
        return content
    }

    /** Where [name] lies after [install]. */
    fun path(name: String): File = File(folder, entry(name).file)

    /**
     * Copies what is not there yet; removes what earlier versions left.
     *
     * @throws ModelException an asset is missing or damaged, or there is no room.
     */
    fun install(names: List<String>) {
        val wanted = names.map(::entry)
        try {
            if (!folder.isDirectory && !folder.mkdirs()) throw ModelException("$folder cannot be made")
            alone { copyMissing(wanted) }
        } catch (exception: IOException) {
            throw ModelException("the model's files cannot be copied: ${exception.message}", exception)
        }
    }

    /** One at a time: a file's lock keeps other processes of the app out, and only those. */
    private fun alone(work: () -> Unit) = synchronized(ModelFiles::class.java) {
        RandomAccessFile(File(folder, LOCK), "rw").use { lock -> lock.channel.lock().use { work() } }
    }

    private fun copyMissing(wanted: List<Entry>) {
        val missing = wanted.filter { File(folder, it.file).length() != it.size }
        checkRoom(missing.sumOf { it.size })
        missing.forEach(::copy)
        val kept = wanted.map { it.file } + LOCK
        val left = folder.listFiles().orEmpty().filter { it.name !in kept && !it.name.startsWith(STAMP) }
        left.forEach { it.delete() }
    }

    /** Whether [what] was noted by [note] for these very assets. */
    fun isNoted(what: String): Boolean = stamp().run { isFile && readText() == "$version\n$what" }

    /** Remembers [what] until an asset changes. */
    fun note(what: String) = stamp().writeText("$version\n$what")

    private fun stamp() = File(folder, "$STAMP-self-test")

    private fun checkRoom(needed: Long) {
        val free = folder.usableSpace
        if (needed > free) {
            throw ModelException("the model needs ${needed shr 20} MB more on this phone; ${free shr 20} MB are free")
        }
    }

    private fun copy(entry: Entry) {
        val fresh = File(folder, "${entry.file}.part")
        val digest = MessageDigest.getInstance("SHA-256")
        open(entry.name).use { from ->
            FileOutputStream(fresh).use { to ->
                val buffer = ByteArray(1 shl 16)
                while (true) {
                    val count = from.read(buffer)
                    if (count < 0) break
                    digest.update(buffer, 0, count)
                    to.write(buffer, 0, count)
                }
                to.fd.sync()
            }
        }
        if (hex(digest.digest()) != entry.sha256) {
            fresh.delete()
            throw damaged(entry.name)
        }
        if (!fresh.renameTo(File(folder, entry.file))) throw IOException("$fresh cannot be renamed")
    }

    private fun entry(name: String): Entry = entries[name] ?: throw ModelException("the app has no asset $name")

    private fun damaged(name: String) = ModelException("the asset $name is damaged: its sha256 differs")

    companion object {
        const val LIST = "files.json"
        private const val LOCK = "lock"
        private const val STAMP = "stamp"

        private fun entries(list: ByteArray): List<Entry> =
            Json.list(Json.`object`(Json.parse(list.decodeToString()))["files"]).map {
                val facts = Json.`object`(it)
                Entry(facts["name"] as String, facts["size"] as Long, facts["sha256"] as String)
            }

        private fun hex(bytes: ByteArray): String = bytes.joinToString("") { "%02x".format(Locale.ROOT, it) }
    }
}
