package android.app;

import android.content.ContextWrapper;
import android.os.Bundle;
import android.view.View;

public class Activity extends ContextWrapper {
    protected void onCreate(Bundle state) {}

    public void setContentView(View view) {}

    public final void runOnUiThread(Runnable action) {}
}
