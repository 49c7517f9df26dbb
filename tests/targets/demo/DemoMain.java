package edgekit.phone.runtime;

import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;

/** The demo app on this machine: the same classes and the same C, without a screen. */
public final class DemoMain {
    private DemoMain() {}

    /** Arguments: graph_jni's library, onnxruntime's library, the folder with the assets, a folder to install into. */
    public static void main(final String[] arguments) {
        System.load(arguments[0]);
        Installed.Source source = new Installed.Source() {
            @Override
            public InputStream open(String name) throws IOException {
                return new FileInputStream(new File(arguments[2], name));
            }
        };
        System.out.print(Demo.run(source, new File(arguments[3]), arguments[1]));
    }
}
