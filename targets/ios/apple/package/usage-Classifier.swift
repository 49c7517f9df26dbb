let classifier = try await Classifier()
for ranked in try await classifier.classify(Pixels(picture)) { // a CGImage that is upright
    print(ranked.label, ranked.score)
}
