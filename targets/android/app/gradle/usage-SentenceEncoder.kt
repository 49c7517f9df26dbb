val encoder = SentenceEncoder.open(context)
println(encoder.similarity(encoder.embed("A cat sits on the mat."), encoder.embed("A feline rests on a rug.")))
encoder.close()
