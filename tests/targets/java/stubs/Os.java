package android.system;

import java.util.HashMap;
import java.util.Map;

/** What the modules use of Android's. */
public final class Os {
    private static final Map<String, String> SET = new HashMap<>();

    private Os() {}

    public static void setenv(String name, String value, boolean overwrite) {
        SET.put(name, value);
    }

    public static String getenv(String name) {
        return SET.get(name);
    }
}
