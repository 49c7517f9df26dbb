let detector = try await KeypointDetector()
for object in try await detector.detect(Pixels(picture)) { // a CGImage that is upright
    for point in object.points { print(object.label, point.name, point.place) }
}
