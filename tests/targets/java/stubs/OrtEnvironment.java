package ai.onnxruntime;

import android.system.Os;

/** As onnxruntime-android has it, as far as the modules use it; parts run in the Python process behind Peer. */
public final class OrtEnvironment implements AutoCloseable {
    private static final OrtEnvironment ONE = new OrtEnvironment();

    public static OrtEnvironment getEnvironment() {
        if (!"1".equals(Os.getenv("ORT_DISABLE_TELEMETRY"))) {
            throw new IllegalStateException("loaded before it was told to report nothing");
        }
        return ONE;
    }

    public void setTelemetry(boolean send) throws OrtException {
        if (send) {
            throw new OrtException("telemetry is on");
        }
    }

    public OrtSession createSession(String file, OrtSession.SessionOptions options) throws OrtException {
        return new OrtSession(file);
    }

    @Override
    public void close() {}
}
