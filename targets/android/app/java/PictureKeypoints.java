package edgekit.phone.loops;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/** A picture to the points of bodies or hands: detect, cut out upright, find the points, and lay them back. */
public final class PictureKeypoints implements TaskLoop {
    /** A thing with joints. */
    public static final class Thing {
        public final String label;
        /** The probability that there is one, 0..1. */
        public final double score;
        /** x, y, x, y .. in pixels of the picture, also outside of it. */
        public final double[] points;

        Thing(String label, double score, double[] points) {
            this.label = label;
            this.score = score;
            this.points = points;
        }
    }

    private final BoxDetector detector;
    private final Graph landmarks;
    private final String input;
    private final Map<String, Object> region;
    private final int size;
    private final int most;
    private final double presence;
    /** Of the points. */
    public final String[] names;
    /** Pairs of points between which a line is drawn. */
    public final List<int[]> links = new ArrayList<>();

    public PictureKeypoints(Map<String, Graph> parts, Description description) {
        Map<String, Object> facts = description.facts;
        String pixels = description.part("detector").inputs[0].name;
        detector = new BoxDetector(parts.get("detector"), pixels, Json.object(facts.get("detector")));
        landmarks = parts.get("landmarks");
        input = description.part("landmarks").inputs[0].name;
        region = Json.object(facts.get("region"));
        size = Json.integer(facts.get("size"));
        most = Json.integer(facts.get("most"));
        presence = Json.number(facts.get("presence"));
        names = Json.texts(facts.get("names"));
        for (Object link : Json.list(facts.get("links"))) {
            links.add(Json.integers(link));
        }
    }

    @Override
    public String answer(Map<String, Tensor> golden, Watch watch) {
        Tensor input = golden.get("pixels");
        int[] shape = input.shape();
        return text(find(input.bytes(), shape[0], shape[1], watch));
    }

    /**
     * The things in a picture, those of which the detector is surest first.
     *
     * @param rgb pixels [height, width, 3], upright, without transparency.
     */
    public List<Thing> find(byte[] rgb, int height, int width, Watch watch) {
        List<Box> boxes = detector.detect(rgb, height, width, detector.threshold);
        List<Thing> things = new ArrayList<>();
        for (Box box : boxes.subList(0, Math.min(most, boxes.size()))) {
            watch.at(things.size(), boxes.size());
            TurnedSquare square = TurnedSquare.of(box, region);
            if (square.sound()) {
                look(box, square, square.cut(rgb, height, width, size), things);
            }
        }
        return things;
    }

    private void look(Box box, TurnedSquare square, byte[] cut, List<Thing> things) {
        Tensor crop = Tensor.unsigned(cut, 1, size, size, 3);
        Map<String, Tensor> made = landmarks.run(Collections.singletonMap(input, crop));
        try {
            double score = made.get("presence").floats()[0];
            if (score >= presence) {
                things.add(new Thing(box.label, score, square.placed(made.get("places").floats())));
            }
        } finally {
            Tensor.closeAll(made);
        }
    }

    /** The labels, for people. */
    public static String text(List<Thing> things) {
        StringBuilder text = new StringBuilder();
        for (Thing thing : things) {
            text.append(text.length() == 0 ? "" : ", ").append(thing.label);
        }
        return text.length() == 0 ? "nothing" : text.toString();
    }
}
