let encoder = try await SentenceEncoder()
let one = try await encoder.embed("A cat sits on the mat."), other = try await encoder.embed("A feline rests on a rug.")
print(encoder.similarity(one, other))
