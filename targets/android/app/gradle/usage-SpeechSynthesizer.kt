val synthesizer = SpeechSynthesizer.open(context)
val sound = synthesizer.speak("ɡˈʊd mˈɔːɹnɪŋ!") // or read("Good morning!") { clause -> phonemes of your own espeak-ng }
play(sound.samples, synthesizer.sampleRate) // a FloatArray, mono
synthesizer.close()
