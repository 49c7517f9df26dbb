val classifier = Classifier.open(context)
val best = classifier.classify(bitmap).first()
println("${best.label}: ${best.score}")
classifier.close()
