let synthesizer = try await SpeechSynthesizer()
let sound = try await synthesizer.speak("ɡˈʊd mˈɔːɹnɪŋ!") // or read("Good morning!") { clause in phonemes of your own espeak-ng }
play(sound.samples, rate: sound.rate) // [Float], mono
