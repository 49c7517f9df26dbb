package edgekit.phone.loops;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/** A picture to its text: detect lines, cut them out, turn them, read them, put them in order. */
public final class PictureText implements TaskLoop {
    /** Into which a picture is cut for the self-test. */
    private static final int STRIPS = 4;

    private final Map<String, Graph> parts;
    private final Map<String, Object> facts;
    private final String[] characters;
    private final int height;
    private final int width;

    public PictureText(Map<String, Graph> parts, Description description) {
        this.parts = parts;
        facts = description.facts;
        characters = Json.texts(facts.get("characters"));
        height = Json.integer(facts.get("height"));
        width = Json.integer(facts.get("width"));
    }

    /** The lines of a picture from above, and of those that stand side by side from the left. */
    public List<TextLine> read(byte[] rgb, int high, int wide, Watch watch) {
        int side = Json.integer(facts.get("side"));
        double sure = Json.number(facts.get("least"));
        PlacedPicture whole = placed(rgb, high, wide);
        float[] chances = run("detector", "pixels", whole.pixels, side, side, "chances");
        List<TextRectangle> detected = TextRegions.lines(chances, side, Json.object(facts.get("lines")));
        List<TextLine> lines = new ArrayList<>();
        for (int i = 0; i < detected.size(); i++) {
            watch.at(i, detected.size());
            double[][] corners = detected.get(i).corners();
            for (double[] corner : corners) { // a pixel of the map stands for its middle
                corner[0] = whole.backX((corner[0] + 0.5) / side);
                corner[1] = whole.backY((corner[1] + 0.5) / side);
            }
            TextLine line = line(new LinePicture(rgb, high, wide), corners);
            if (!line.text.trim().isEmpty() && line.score >= sure) {
                lines.add(line);
            }
        }
        return TextLine.ordered(lines);
    }

    /** What stands in four strips of the picture, for where a line is cut moves with the last digits. */
    @Override
    public String answer(Map<String, Tensor> golden, Watch watch) {
        Tensor input = golden.get("pixels");
        byte[] rgb = input.bytes();
        int high = input.shape()[0], wide = input.shape()[1];
        int side = Json.integer(facts.get("side"));
        run("detector", "pixels", placed(rgb, high, wide).pixels, side, side, "chances");
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < STRIPS; i++) {
            double top = high * (double) i / STRIPS, bottom = high * (double) (i + 1) / STRIPS;
            double[][] strip = {{0, top}, {wide, top}, {wide, bottom}, {0, bottom}};
            text.append(i == 0 ? "" : "\n").append(line(new LinePicture(rgb, high, wide), strip).text);
        }
        return text.toString();
    }

    private PlacedPicture placed(byte[] rgb, int high, int wide) {
        int side = Json.integer(facts.get("side"));
        Map<String, Object> rule = Collections.<String, Object>singletonMap("letterbox", Boolean.TRUE);
        return PlacedPicture.of(rgb, high, wide, rule, side, side);
    }

    private float[] run(String part, String input, byte[] pixels, int high, int wide, String output) {
        Tensor tensor = Tensor.unsigned(pixels, 1, high, wide, 3);
        Map<String, Tensor> made = parts.get(part).run(Collections.singletonMap(input, tensor));
        try {
            return made.get(output).floats().clone();
        } finally {
            Tensor.closeAll(made);
        }
    }

    private TextLine line(LinePicture picture, double[][] corners) {
        LinePicture line = picture.cut(corners);
        int turnWidth = Json.integer(facts.get("turn_width")), first = line.width >= line.height ? 0 : 1;
        byte[] whole = line.pieces(height, Integer.MAX_VALUE).get(0).filled(turnWidth);
        float[] odds = run("turn", "line", whole, height, turnWidth, "probabilities");
        if (odds[1] > Json.number(facts.get("turned"))) {
            line = line.turned(true);
            first += 2;
        }
        double[][] upright = new double[4][];
        for (int i = 0; i < 4; i++) {
            upright[i] = corners[(i + first) % 4];
        }
        StringBuilder text = new StringBuilder();
        List<Double> sure = new ArrayList<>();
        for (LinePicture piece : line.pieces(height, width)) {
            letters(run("recogniser", "line", piece.filled(width), height, width, "logits"), text, sure);
        }
        double sum = 0;
        for (double odd : sure) {
            sum += odd;
        }
        return new TextLine(text.toString(), sure.isEmpty() ? 0 : sum / sure.size(), upright);
    }

    /** Adds the best class of each step, of equal ones in a row the first, without blanks (class 0). */
    private void letters(float[] logits, StringBuilder text, List<Double> sure) {
        int classes = characters.length + 1, before = 0;
        for (int at = 0; at < logits.length; at += classes) {
            float[] step = Arrays.copyOfRange(logits, at, at + classes);
            int best = Numbers.argmax(step);
            if (best != 0 && best != before) {
                double sum = 0;
                for (float logit : step) {
                    sum += Math.exp(logit - step[best]);
                }
                text.append(characters[best - 1]);
                sure.add(1 / sum);
            }
            before = best;
        }
    }
}
