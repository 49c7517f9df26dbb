val policy = Policy.open(context)
val motors = policy.act(observation).applied // a FloatArray of policy.observations numbers
policy.close()
