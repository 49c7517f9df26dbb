package android.content;

import android.app.ActivityManager;
import android.content.res.AssetManager;
import java.io.File;

/** What the modules use of Android's, over two folders. */
public class Context {
    public static final String ACTIVITY_SERVICE = "activity";

    private final File assets;
    private final File files;

    public Context(File assets, File files) {
        this.assets = assets;
        this.files = files;
    }

    public Context getApplicationContext() {
        return this;
    }

    public AssetManager getAssets() {
        return new AssetManager(assets);
    }

    public Object getSystemService(String name) {
        return new ActivityManager();
    }

    public File getNoBackupFilesDir() {
        return files;
    }
}
