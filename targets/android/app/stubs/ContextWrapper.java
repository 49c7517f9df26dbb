package android.content;

import android.content.res.AssetManager;
import java.io.File;

public class ContextWrapper extends Context {
    @Override
    public AssetManager getAssets() {
        throw new UnsupportedOperationException("a stub");
    }

    @Override
    public File getNoBackupFilesDir() {
        throw new UnsupportedOperationException("a stub");
    }

    @Override
    public Context getApplicationContext() {
        throw new UnsupportedOperationException("a stub");
    }
}
