let encoder = try await SentenceEncoder()
let cat = try await encoder.embed("A cat sits on the mat."), feline = try await encoder.embed("A feline rests on a rug.")
print(encoder.similarity(cat, feline))
