package android.os;

/** What the modules use of Android's. */
public class Build {
    public static final String FINGERPRINT = "a/phone:1";
}
