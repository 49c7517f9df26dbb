let reader = try await TextReader()
for line in try await reader.read(Pixels(picture)) { // a CGImage that is upright
    print(line.text, line.score)
}
