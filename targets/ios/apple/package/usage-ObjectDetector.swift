let detector = try await ObjectDetector()
for object in try await detector.detect(Pixels(picture)) { // a CGImage that is upright
    print(object.label, object.score, object.topLeft, object.bottomRight)
}
