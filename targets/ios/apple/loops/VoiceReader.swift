import Foundation

/// A voice: phonemes to their durations, to latent frames with noise of their own, to samples.
struct VoiceReader: TaskLoop {
    /// Most frames of a phoneme; frames that the self-test gives each id.
    private static let longest: Float = 400, probed = 2

    /// What the encoder gives for ids: frames of each, and by channel the means and deviations.
    private typealias Encoded = (frames: [Int], means: [[Float]], deviations: [[Float]])

    private let encoder, decoder: any Graph
    private let alphabet: VoiceAlphabet
    private let hop, halo, most, window, pause: Int
    /// The ids and frames that the parts take at once; nil: any number.
    private let fixedIDs, fixedFrames: Int?
    /// Samples in a second, the voice of espeak-ng whose phonemes it knows, and the bundle's manner; an app may have others.
    let rate: Int
    let voice: String
    let manner: VoiceManner

    init(_ parts: [String: any Graph], _ description: Description) throws {
        let facts = description.facts
        guard let encoder = parts["encoder"], let decoder = parts["decoder"],
            let ids = try description.part("encoder").inputs.first(where: { $0.name == "phonemes" })?.shape.last,
            let frames = try description.part("decoder").inputs.first(where: { $0.name == "latents" })?.shape.last
        else { throw ModelError.damaged("the parts do not take phonemes and latent frames") }
        (self.encoder, self.decoder) = (encoder, decoder)
        (fixedIDs, fixedFrames) = (ids > 0 ? ids : nil, frames > 0 ? frames : nil)
        alphabet = try VoiceAlphabet(facts.object("alphabet"))
        manner = try VoiceManner(facts.object("manner"))
        rate = try facts.int("sample_rate")
        voice = try facts.text("voice")
        hop = try facts.int("hop")
        halo = try facts.int("halo")
        window = try facts.int("window")
        most = try fixedIDs ?? facts.int("most")
        pause = Int((try facts.double("pause") * Double(rate)).rounded(.toNearestOrEven))
    }

    /// Reads a text: its words by the phonemizer, and what stands in double brackets as phonemes.
    ///
    /// - Parameter phonemizer: nil: there is nothing but phonemes in brackets.
    /// - Throws: `ModelError.badInput`: there is nothing to read, or words without a phonemizer.
    func read(
        _ text: String, _ phonemizer: Phonemizer?, _ manner: VoiceManner, progress: (Double, Double) -> Void = { _, _ in }
    ) async throws -> VoiceSound {
        try await speak(VoiceText.phonemes(text, phonemizer), manner, progress: progress)
    }

    /// Reads phonemes in the International Phonetic Alphabet, with the marks of their sentences.
    ///
    /// - Throws: `ModelError.badInput`: the voice knows none of a sentence's phonemes.
    func speak(
        _ phonemes: String, _ manner: VoiceManner, progress: (Double, Double) -> Void = { _, _ in }
    ) async throws -> VoiceSound {
        let sentences = VoiceText.sentences(try VoiceText.checked(phonemes))
        let ids = try sentences.map { try alphabet.pieces($0, most: most) }
        var sound: [Float] = []
        for (place, pieces) in ids.enumerated() {
            progress(Double(place), Double(ids.count))
            sound += [Float](repeating: 0, count: place > 0 ? pause : 0)
            for piece in pieces {
                let encoded = try await encoded(piece, manner, UInt32(place))
                sound += try await decoded(latents(encoded, manner, UInt32(place)))
            }
        }
        return VoiceSound(sound, rate: rate, sentences: sentences, unknown: alphabet.unknown(sentences.joined()))
    }

    /// Both parts, neither deciding the other's inputs: two frames of noise for every id go to the decoder. A vocoder's phases
    /// follow from its input's last digits, so that samples of the whole chain tell nothing.
    func answer(_ golden: GoldenInput) async throws -> String {
        let text = String(decoding: try golden.input("text").bytes(), as: UTF8.self)
        let sentences = VoiceText.sentences(try VoiceText.phonemes(text, nil))
        let ids = try alphabet.pieces(sentences[0], most: most)[0]
        let channels = try await encoded(ids, manner, 0).means.count
        var drawn = [[Float]](repeating: [Float](repeating: 0, count: Self.probed * ids.count), count: channels)
        var noise = GaussianNoise(Pcg64([manner.seed]))
        for frame in drawn[0].indices {
            for channel in drawn.indices {
                drawn[channel][frame] = noise.next()
            }
        }
        return VoiceSound.seconds(try await decoded(drawn).count, rate)
    }

    private func encoded(_ ids: [Int], _ manner: VoiceManner, _ place: UInt32) async throws -> Encoded {
        let size = fixedIDs ?? ids.count, filling = size - ids.count
        var noise = [Float](repeating: 0, count: 2 * size), random = GaussianNoise(Pcg64([manner.seed, place]))
        for i in ids.indices {
            noise[i] = Float(manner.rhythm) * random.next()
            noise[size + i] = Float(manner.rhythm) * random.next()
        }
        let mask = ids.map { _ in Float(1) } + Array(repeating: 0, count: filling)
        try Task.checkCancellation()
        let made = try await encoder.run([
            "phonemes": Values(ids.map(Int64.init) + Array(repeating: 0, count: filling), [1, size]),
            "mask": Values(mask, [1, size]), "noise": Values(noise, [1, 2, size]),
        ])
        guard let durations = try made["durations"]?.floats(), let means = try made["means"]?.floats(),
            let deviations = try made["deviations"]?.floats(), durations.count == size
        else { throw ModelError.damaged("the encoder gives no durations, means and deviations") }
        var frames = durations.prefix(ids.count).map { duration -> Int in
            let whole = (duration / Float(manner.speed)).rounded(.up)
            return whole.isNaN ? 0 : Int(max(0, min(Self.longest, whole)))
        }
        if frames.allSatisfy({ $0 == 0 }) {
            frames = frames.map { _ in 1 }
        }
        func rows(_ values: [Float]) -> [[Float]] {
            stride(from: 0, to: values.count, by: size).map { Array(values[$0..<$0 + size]) }
        }
        return (frames, rows(means), rows(deviations))
    }

    /// By channel. Each id draws noise of its own: a duration that is rounded otherwise changes none of what follows.
    private func latents(_ encoded: Encoded, _ manner: VoiceManner, _ place: UInt32) -> [[Float]] {
        var latents = [[Float]](repeating: [], count: encoded.means.count)
        for (id, count) in encoded.frames.enumerated() {
            var noise = GaussianNoise(Pcg64([manner.seed, place, UInt32(id)]))
            for _ in 0..<count {
                for channel in latents.indices {
                    let spread = Float(manner.noise) * encoded.deviations[channel][id]
                    latents[channel].append(encoded.means[channel][id] + spread * noise.next())
                }
            }
        }
        return latents
    }

    /// The sound of latent frames by channel, in windows that overlap as far as a sample looks.
    private func decoded(_ latents: [[Float]]) async throws -> [Float] {
        let total = latents[0].count, size = fixedFrames ?? min(total, window)
        var sound: [Float] = [], begin = 0
        while begin < total {
            let start = max(0, min(begin - halo, total - size)), count = min(size, total - start)
            let end = start + size >= total ? total : start + size - halo
            let filling = [Float](repeating: 0, count: size - count)
            try Task.checkCancellation()
            let audio = try await decoder.run(
                [
                    "latents": Values(latents.flatMap { $0[start..<start + count] + filling }, [1, latents.count, size]),
                    "mask": Values([Float](repeating: 1, count: count) + filling, [1, size]),
                ], giving: "audio"
            ).floats()
            guard audio.count == size * hop else { throw ModelError.damaged("the decoder gives other samples") }
            sound += audio[(begin - start) * hop..<(end - start) * hop]
            begin = end
        }
        return sound
    }
}
