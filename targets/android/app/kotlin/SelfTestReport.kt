package edgekit.phone

import edgekit.phone.loops.SelfTest

/**
 * How far this phone is from the fp32 reference on the golden input.
 *
 * @property errors part of the model to its distance: relative, root mean square.
 * @property limits part of the model to the largest distance that its precision, and what was measured, explain.
 * @property answer what the model answers to the golden input here.
 * @property expected what it answered when it was packaged. It may differ in a word: kernels of phones round otherwise.
 */
public data class SelfTestReport(
    val errors: Map<String, Double>,
    val limits: Map<String, Double>,
    val answer: String,
    val expected: String,
) {
    /** Whether every part is near enough. */
    public val passed: Boolean get() = errors.isNotEmpty() && errors.all { (part, error) -> error <= limits.getValue(part) }

    internal companion object {
        fun of(result: SelfTest.Result): SelfTestReport =
            SelfTestReport(result.errors, result.limits, result.answer, result.expected)
    }
}
