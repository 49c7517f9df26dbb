package android.app;

/** As much of Android's as the modules use: free memory. */
public class ActivityManager {
    /** Free memory, in bytes. */
    public static class MemoryInfo {
        public long availMem;
    }

    public void getMemoryInfo(MemoryInfo info) {
        info.availMem = 1L << 30;
    }
}
