package edgekit.phone.loops;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** Tensors by name through every part in its order: each takes what the app gives and what parts before it gave. */
public final class TensorChain implements TaskLoop {
    private final Map<String, Graph> parts;
    private final Description description;
    /** What an app gives, and what it gets. */
    public final List<Description.Spec> inputs = new ArrayList<>();

    public final List<Description.Spec> outputs = new ArrayList<>();

    public TensorChain(Map<String, Graph> parts, Description description) {
        this.parts = parts;
        this.description = description;
        Set<String> made = new LinkedHashSet<>(), taken = new LinkedHashSet<>();
        for (Description.Part part : description.parts) {
            for (Description.Spec spec : part.inputs) {
                if (taken.add(spec.name) && !made.contains(spec.name)) {
                    inputs.add(spec);
                }
            }
            for (Description.Spec spec : part.outputs) {
                made.add(spec.name);
            }
        }
        for (Description.Part part : description.parts) {
            for (Description.Spec spec : part.outputs) {
                if (!taken.contains(spec.name)) {
                    outputs.add(spec);
                }
            }
        }
    }

    @Override
    public String answer(Map<String, Tensor> golden, Watch watch) {
        Map<String, Tensor> made = run(golden, watch);
        StringBuilder text = new StringBuilder();
        for (Description.Spec spec : outputs) {
            Tensor tensor = made.get(spec.name);
            text.append(text.length() == 0 ? "" : ", ").append(spec.name).append(' ').append(said(tensor));
        }
        return text.toString();
    }

    /**
     * The outputs by name, in the Java heap.
     *
     * @param given every one of `inputs`, in its type and shape; axes of one name have one size.
     * @throws IllegalArgumentException a tensor is missing, not asked for, or of another type or shape.
     */
    public Map<String, Tensor> run(Map<String, Tensor> given, Watch watch) {
        check(given);
        Map<String, Tensor> values = new HashMap<>(given), made = new LinkedHashMap<>(), kept = new LinkedHashMap<>();
        try {
            int done = 0;
            for (Description.Part part : description.parts) {
                watch.at(done++, description.parts.length);
                Map<String, Tensor> feeds = new LinkedHashMap<>();
                for (Description.Spec spec : part.inputs) {
                    feeds.put(spec.name, values.get(spec.name));
                }
                Map<String, Tensor> outputs = parts.get(part.name).run(feeds);
                made.putAll(outputs);
                values.putAll(outputs);
            }
            for (Description.Spec spec : outputs) {
                kept.put(spec.name, made.get(spec.name).copy());
            }
            return kept;
        } finally {
            Tensor.closeAll(made);
        }
    }

    private void check(Map<String, Tensor> given) {
        Set<String> known = new LinkedHashSet<>();
        Map<String, Integer> sizes = new HashMap<>();
        for (Description.Spec spec : inputs) {
            known.add(spec.name);
            Tensor tensor = given.get(spec.name);
            if (tensor == null) {
                throw new IllegalArgumentException("the input " + spec.name + " is missing: it is " + wanted(spec));
            }
            int[] shape = tensor.shape();
            boolean fits = shape.length == spec.shape.length && name(tensor.type()).equals(spec.dtype);
            for (int i = 0; fits && i < shape.length; i++) {
                Integer size = spec.axes[i] == null ? Integer.valueOf(spec.shape[i]) : sizes.get(spec.axes[i]);
                if (size == null) {
                    sizes.put(spec.axes[i], shape[i]);
                }
                fits = size == null || size == shape[i];
            }
            if (!fits) {
                throw new IllegalArgumentException(
                        "the input " + spec.name + " is " + said(tensor) + "; it must be " + wanted(spec) + told(sizes));
            }
        }
        for (String name : given.keySet()) {
            if (!known.contains(name)) {
                throw new IllegalArgumentException("the network has no input " + name + ", only " + known);
            }
        }
    }

    /** The sizes that axes have by the inputs before, for a message. */
    private static String told(Map<String, Integer> sizes) {
        return sizes.isEmpty() ? "" : " with " + sizes;
    }

    private static String name(Tensor.Type type) {
        return type.name().toLowerCase(Locale.ROOT);
    }

    private static String wanted(Description.Spec spec) {
        StringBuilder text = new StringBuilder(spec.dtype);
        for (int i = 0; i < spec.shape.length; i++) {
            text.append(i == 0 ? " " : " x ").append(spec.axes[i] == null ? String.valueOf(spec.shape[i]) : spec.axes[i]);
        }
        return spec.shape.length == 0 ? text + " scalar" : text.toString();
    }

    private static String said(Tensor tensor) {
        StringBuilder text = new StringBuilder(name(tensor.type()));
        int[] shape = tensor.shape();
        for (int i = 0; i < shape.length; i++) {
            text.append(i == 0 ? " " : " x ").append(shape[i]);
        }
        return shape.length == 0 ? text + " scalar" : text.toString();
    }
}
