let model = try await TensorModel()
for spec in model.inputs { print(spec.name, spec.type, spec.shape) } // what it takes; model.outputs: what it gives
let made = try await model.run([model.inputs[0].name: Values(values, [1, 3])]) // [Float], in the shape of the input
print(try made[model.outputs[0].name]!.floats())
