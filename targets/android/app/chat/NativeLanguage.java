package edgekit.phone.loops;

import java.nio.charset.StandardCharsets;

/** llama.cpp, compiled by the app's own NDK. The weights are mapped: they never go through the Java heap. */
public final class NativeLanguage implements Language {
    static {
        System.loadLibrary("edgekitchat");
    }

    private long handle;

    /**
     * @param path of the .gguf. context: tokens to make room for. small: their keys and values in 8 bits.
     * @throws IllegalStateException the library refuses the file, with its reason.
     */
    public NativeLanguage(String path, int context, boolean small, int threads) {
        handle = open(path.getBytes(StandardCharsets.UTF_8), context, small, threads);
    }

    /**
     * Keeps beginnings of prompts, such as system prompts, in files from now on. The prompt can be read out of them.
     *
     * @param folder of the app; made where it is not there.
     * @param identity of weights and library (`ChatDescription.identity`).
     */
    public void keep(String folder, String identity) {
        keep(handle(), folder.getBytes(StandardCharsets.UTF_8), identity.getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public int[] tokens(byte[] text, boolean special, boolean begin) {
        return tokens(handle(), text, special, begin);
    }

    @Override
    public byte[] piece(int token) {
        return piece(handle(), token);
    }

    @Override
    public void sampling(float temperature, int topK, float topP, float minP, int seed) {
        sampling(handle(), temperature, topK, topP, minP, seed);
    }

    @Override
    public int grammar(byte[] grammar) {
        return grammar(handle(), grammar);
    }

    @Override
    public int begin(int[] tokens) {
        return begin(handle(), tokens);
    }

    @Override
    public int read(int[] tokens) {
        return read(handle(), tokens);
    }

    @Override
    public int next() {
        return next(handle());
    }

    @Override
    public int choose() {
        return choose(handle());
    }

    @Override
    public boolean guesses() {
        return guesses(handle());
    }

    @Override
    public int attempt(int[] tokens) {
        return attempt(handle(), tokens);
    }

    @Override
    public long computed() {
        return computed(handle());
    }

    @Override
    public long passes() {
        return passes(handle());
    }

    @Override
    public float margin(byte[] text) {
        return margin(handle(), text);
    }

    @Override
    public synchronized void stop(boolean stop) {
        if (handle != 0) {
            stop(handle, stop);
        }
    }

    /** Not while another call runs. */
    @Override
    public synchronized void close() {
        close(handle);
        handle = 0;
    }

    private long handle() {
        if (handle == 0) {
            throw new IllegalStateException("the model is closed");
        }
        return handle;
    }

    private static native long open(byte[] path, int context, boolean small, int threads);

    private static native void close(long handle);

    private static native int[] tokens(long handle, byte[] text, boolean special, boolean begin);

    private static native byte[] piece(long handle, int token);

    private static native void sampling(long handle, float temperature, int topK, float topP, float minP, int seed);

    private static native int grammar(long handle, byte[] grammar);

    private static native void keep(long handle, byte[] folder, byte[] identity);

    private static native int begin(long handle, int[] tokens);

    private static native int read(long handle, int[] tokens);

    private static native int next(long handle);

    private static native int choose(long handle);

    private static native boolean guesses(long handle);

    private static native int attempt(long handle, int[] tokens);

    private static native long computed(long handle);

    private static native long passes(long handle);

    private static native float margin(long handle, byte[] text);

    private static native void stop(long handle, boolean stop);
}
