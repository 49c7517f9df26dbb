package androidx.test.platform.app;

import android.content.Context;
import java.io.File;

/** What the modules' test uses of AndroidX's. */
public final class InstrumentationRegistry {
    private InstrumentationRegistry() {}

    /** As far as the modules' test uses it. */
    public static final class Instrumentation {
        public Context getTargetContext() {
            return new Context(new File("src/main/assets"), new File("files"));
        }
    }

    public static Instrumentation getInstrumentation() {
        return new Instrumentation();
    }
}
