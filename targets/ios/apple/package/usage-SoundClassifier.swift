let classifier = try await SoundClassifier()
for ranked in try await classifier.classify(samples) { // [Float], mono, classifier.rate samples a second
    print(ranked.label, ranked.score)
}
