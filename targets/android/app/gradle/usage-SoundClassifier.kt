val classifier = SoundClassifier.open(context)
val best = classifier.classify(samples).first() // a FloatArray, mono, classifier.rate samples a second
println("${best.label}: ${best.score}")
classifier.close()
