import { Model } from "../core/client.js";

/**
 * A voice that reads phonemes aloud.
 * @example
 * const synthesizer = await SpeechSynthesizer.load();
 * const { samples, rate } = await synthesizer.speak("həlˈoʊ wˈɜːld!");
 */
export class SpeechSynthesizer extends Model {
    static properties = ["rate", "voice", "manner"];

    async speak(phonemes, { manner, ...options } = {}) {
        return this.call("speak", [phonemes, { ...this.manner, ...manner }], options);
    }
}
