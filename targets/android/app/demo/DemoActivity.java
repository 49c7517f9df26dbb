package edgekit.phone.runtime;

import android.app.Activity;
import android.content.res.AssetManager;
import android.os.Bundle;
import android.util.Log;
import android.widget.ScrollView;
import android.widget.TextView;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;

/** Runs the self-test of the model in this app and shows the result; also in the log, under the tag edgekit. */
public final class DemoActivity extends Activity {
    private static final String TAG = "edgekit";

    @Override
    protected void onCreate(Bundle state) {
        super.onCreate(state);
        final TextView text = new TextView(this);
        text.setPadding(48, 48, 48, 48);
        text.setTextSize(18);
        text.setTextIsSelectable(true);
        text.setText("Running the golden input ...");
        ScrollView view = new ScrollView(this);
        view.setFitsSystemWindows(true);
        view.addView(text);
        setContentView(view);
        new Thread(TAG) {
            @Override
            public void run() {
                show(text, result());
            }
        }.start();
    }

    private String result() {
        final AssetManager assets = getAssets();
        try {
            System.loadLibrary("onnxruntime");
            System.loadLibrary("edgekit");
        } catch (UnsatisfiedLinkError error) {
            return "FAIL\n" + error.getMessage();
        }
        Installed.Source source = new Installed.Source() {
            @Override
            public InputStream open(String name) throws IOException {
                return assets.open("edgekit/" + name);
            }
        };
        return Demo.run(source, new File(getNoBackupFilesDir(), "edgekit"), "libonnxruntime.so");
    }

    private void show(final TextView text, final String report) {
        for (String line : report.split("\n")) {
            Log.i(TAG, line);
        }
        runOnUiThread(new Runnable() {
            @Override
            public void run() {
                text.setText(report);
            }
        });
    }
}
