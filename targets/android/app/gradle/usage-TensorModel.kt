val model = TensorModel.open(context)
println(model.inputs.map { "${it.name} ${it.type} ${it.shape}" }) // what it takes; model.outputs, what it gives
val made = model.run(mapOf(model.inputs[0].name to Tensor.of(values, 1, 3))) // a FloatArray, in the shape of the input
println(made.getValue(model.outputs[0].name).floats().toList())
model.close()
