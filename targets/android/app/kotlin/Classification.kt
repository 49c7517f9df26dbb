package edgekit.phone

import edgekit.phone.loops.Ranked

/** A label with its class and score, 0..1. */
public data class Classification(val label: String, val classIndex: Int, val score: Float) {
    internal companion object {
        fun of(ranking: List<Ranked>): List<Classification> =
            ranking.map { Classification(it.label, it.classIndex, it.score) }
    }
}
