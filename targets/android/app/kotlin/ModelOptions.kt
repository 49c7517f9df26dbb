package edgekit.phone

/** When to compare this phone with the fp32 reference; it takes about as long as one use of the model. */
public enum class SelfTestPolicy {
    /** Before the first use of a model on a version of the system, and after each update of either. */
    FIRST_LAUNCH,

    /** Whenever the model is opened. */
    ALWAYS,

    NEVER,
}

/**
 * How to open a model.
 *
 * @property threads within an operator. More than a phone has fast cores makes it slower.
 * @property selfTest when to test; a failure throws [SelfTestFailed].
 */
public data class ModelOptions(
    val threads: Int = (Runtime.getRuntime().availableProcessors() / 2).coerceIn(1, 4),
    val selfTest: SelfTestPolicy = SelfTestPolicy.FIRST_LAUNCH,
) {
    init {
        require(threads >= 1) { "a model needs a thread, not $threads" }
    }
}
