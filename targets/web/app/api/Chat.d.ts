import { Model, type CallOptions, type LoadOptions } from "../core/types.js";

/** finish: "end", "length" (as many tokens as were allowed) or "context" (it is full). leftOut: oldest turns, for lack of room. */
export interface Answered { finish: string; promptTokens: number; tokens: number; leftOut: number; computed: number }
export interface Sampling { temperature: number; topK?: number; topP?: number; minP?: number; seed?: number }

export class Chat extends Model {
    static load<T>(this: new (...values: never[]) => T, options?: LoadOptions & { system?: string }): Promise<T>;
    /** That compute: by default half of the processors, for they wait for each other. */
    readonly threads: number;
    readonly last: Answered | null;
    /** schema: name of one that the package was made with; most: tokens. */
    send(text: string, options?: CallOptions & { most?: number; schema?: string }): AsyncGenerator<string>;
    sample(options: Sampling): Promise<void>;
    clear(): Promise<void>;
}
