package edgekit.phone.loops;

/** Of every new pixel in a row: the first old pixel that counts, and the shares from it on, as Pillow has them. */
final class ResampleWeights {
    final int[] first;
    final double[][] of;

    /**
     * @param size of the old row. from, to: the stretch of it that becomes the new row, in pixels.
     */
    ResampleWeights(int size, float from, float to, int newSize, Resample.Filter filter) {
        first = new int[newSize];
        of = new double[newSize][];
        double scale = (double) (to - from) / newSize;
        double stretch = Math.max(scale, 1.0);
        double support = filter.support * stretch;
        double shrink = 1.0 / stretch;
        for (int i = 0; i < newSize; i++) {
            double center = from + (i + 0.5) * scale;
            first[i] = Math.max(0, (int) (center - support + 0.5));
            of[i] = new double[Math.min(size, (int) (center + support + 0.5)) - first[i]];
            double sum = 0.0;
            for (int x = 0; x < of[i].length; x++) {
                of[i][x] = filter.weight((x + first[i] - center + 0.5) * shrink);
                sum += of[i][x];
            }
            for (int x = 0; sum != 0 && x < of[i].length; x++) {
                of[i][x] /= sum;
            }
        }
    }
}
