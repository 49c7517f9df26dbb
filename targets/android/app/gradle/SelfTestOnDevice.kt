package edgekit.phone

import androidx.test.ext.junit.runners.AndroidJUnit4
import androidx.test.platform.app.InstrumentationRegistry
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith

/** The golden vectors on a phone: connectedDebugAndroidTest. */
@RunWith(AndroidJUnit4::class)
class SelfTestOnDevice {
    @Test
    fun everyPartComputesWhatItShould() = runBlocking {
        val context = InstrumentationRegistry.getInstrumentation().targetContext
        Transcriber.open(context, ModelOptions(selfTest = SelfTestPolicy.NEVER)).use { model ->
            val report = model.selfTest()
            assertTrue(report.toString(), report.passed)
        }
    }
}
