package edgekit.phone.loops;

/**
 * Told between calls of the network how far a loop is, in any unit. It ends the loop by throwing, as a cancelled coroutine
 * does with java.util.concurrent.CancellationException.
 */
public interface Watch {
    void at(double done, double total);
}
