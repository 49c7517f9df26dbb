package edgekit.phone

import android.content.Context
import edgekit.phone.loops.PolicySteering

/**
 * What a robot does.
 *
 * @property action as the network gives it.
 * @property applied within the limit that the motors follow.
 */
public class PolicyAction internal constructor(public val action: FloatArray, public val applied: FloatArray)

/** From what a robot's sensors say to what its motors do, a step at a time. One call runs at a time; others wait. */
public class Policy private constructor(private val model: Model<PolicySteering>) : AutoCloseable by model {
    private val loop = model.loop

    /** Numbers of an observation. */
    public val observations: Int get() = loop.observations

    /** Numbers of an action. */
    public val actions: Int get() = loop.actions

    /**
     * The action for an observation.
     *
     * @throws IllegalArgumentException an observation of another size, or numbers that are not finite.
     * @throws ModelException the runtime failed.
     */
    public suspend fun act(observation: FloatArray): PolicyAction = model.use {
        val action = loop.act(observation)
        PolicyAction(action, loop.applied(action))
    }

    /** Compares this phone with the fp32 reference on the golden input. */
    public suspend fun selfTest(): SelfTestReport = model.selfTest()

    public companion object {
        /**
         * Copies the model's files on the first launch, opens it and tests it; see [ModelOptions].
         *
         * @throws ModelException it cannot be used here.
         */
        public suspend fun open(context: Context, options: ModelOptions = ModelOptions()): Policy =
            Policy(Model.open(context, options, ::PolicySteering))
    }
}
