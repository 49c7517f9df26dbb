package edgekit.phone

import edgekit.phone.loops.Vectors
import java.io.DataInputStream
import java.io.File
import java.io.InputStream
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

/** The assets are whole, and become files that are right or absent. */
class ModelFilesTest {
    @get:Rule
    val scratch = TemporaryFolder()

    private var opened = 0
    private val roots = listOf("src/main/assets", "pack/src/main/assets").map { File(it, "edgekit-model") }

    private fun asset(name: String): InputStream {
        opened++
        return roots.map { File(it, name) }.first { it.isFile }.inputStream()
    }

    private fun files(open: (String) -> InputStream = ::asset) = ModelFiles(open, File(scratch.root, "model"))

    private fun parts() = files().description().parts.map { it.file }

    @Test
    fun everyPartIsCopiedOnce() {
        val names = parts()
        files().install(names)
        names.forEach { assertTrue(it, files().path(it).length() > 0) }
        val second = files()
        opened = 0
        second.install(names)
        assertEquals("nothing is read again", 0, opened)
    }

    @Test
    fun aDamagedAssetIsRefused() {
        val names = parts()
        val damaged = files { name -> if (name in names) "broken".byteInputStream() else asset(name) }
        assertThrows(ModelException::class.java) { damaged.install(names) }
        assertFalse(damaged.path(names.first()).exists())
    }

    @Test
    fun halfAFileIsCopiedAgain() {
        val names = parts()
        files().install(names)
        val file = files().path(names.first())
        val size = file.length()
        file.writeText("half")
        files().install(names)
        assertEquals(size, file.length())
    }

    @Test
    fun whatEarlierVersionsLeftGoes() {
        val old = File(scratch.root, "model/0123.onnx").apply {
            parentFile?.mkdirs()
            writeText("old")
        }
        files().install(parts())
        assertFalse(old.exists())
    }

    @Test
    fun theGoldenVectorsCanBeRead() {
        for (name in listOf("golden/input.bin", "golden/reference.bin")) {
            val tensors = DataInputStream(files().bytes(name).inputStream()).use(Vectors::read)
            assertTrue(name, tensors.isNotEmpty())
        }
    }

    @Test
    fun aNoteHoldsForTheseAssetsOnly() {
        val one = files()
        one.install(parts())
        one.note("this phone")
        assertTrue(files().isNoted("this phone"))
        assertFalse(files().isNoted("another phone"))
    }
}
