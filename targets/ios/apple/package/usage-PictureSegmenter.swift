let segmenter = try await PictureSegmenter()
let mask = try await segmenter.segment(Pixels(picture)) // a CGImage that is upright
for (label, share) in zip(mask.labels, mask.shares) { print(label, share) }
