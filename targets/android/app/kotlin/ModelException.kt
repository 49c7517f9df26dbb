package edgekit.phone

/** The model cannot be used on this phone; the message says why. */
public open class ModelException(message: String, cause: Throwable? = null) : Exception(message, cause)

/** The phone computes something else than what the model was proven to compute; see [report]. */
public class SelfTestFailed(public val report: SelfTestReport) :
    ModelException("the self-test failed: $report")
