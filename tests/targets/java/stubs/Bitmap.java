package android.graphics;

/** What the modules use of Android's. */
public final class Bitmap {
    /** How pixels lie in memory. */
    public enum Config {
        ARGB_8888,
        HARDWARE
    }

    private final int[] pixels;
    private final int width;
    private final int height;
    private final Config config;

    public Bitmap(int[] pixels, int width, int height, Config config) {
        this.pixels = pixels;
        this.width = width;
        this.height = height;
        this.config = config;
    }

    public int getWidth() {
        return width;
    }

    public int getHeight() {
        return height;
    }

    public Config getConfig() {
        return config;
    }

    public Bitmap copy(Config config, boolean mutable) {
        return new Bitmap(pixels, width, height, config);
    }

    public void getPixels(int[] into, int offset, int stride, int x, int y, int width, int height) {
        if (config == Config.HARDWARE) {
            throw new IllegalStateException("unable to getPixels(), pixel access is not supported on Config#HARDWARE");
        }
        for (int row = 0; row < height; row++) {
            System.arraycopy(pixels, (y + row) * this.width + x, into, offset + row * stride, width);
        }
    }
}
