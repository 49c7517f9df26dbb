/** Pictures: pixels, an element that shows one, or a file of an image or its address. */
export type Picture = ImageData | ImageBitmap | HTMLImageElement | HTMLCanvasElement | HTMLVideoElement | Blob | URL | string;
/** Mono floats in [-1, 1] at the model's rate, a sound of the browser's, or a file of one or its address. */
export type Sound = Float32Array | AudioBuffer | Blob | Response | URL | string;
/** Sound as it comes: chunks of any size, such as microphone() gives, a MediaStream, or a file of a sound. */
export type Chunks = AsyncIterable<Float32Array> | Iterable<Float32Array> | MediaStream | Blob;

export interface Ranked { label: string; classIndex: number; score: number }
export interface TensorSpec { name: string; dtype: string; shape: (number | string)[] }
export interface Tensor {
    dtype: string; shape: number[]; data: Float32Array | BigInt64Array | Int32Array | Uint8Array | Int8Array;
}

export interface CallOptions {
    /** Cancels the call: within a run of a network. */
    signal?: AbortSignal;
    /** Told how much is done, and of how much. */
    progress?: (done: number, total: number) => void;
}
export interface LoadOptions {
    signal?: AbortSignal;
    /** Told what it does ("fetch", "test"), and which share of that is done. */
    progress?: (stage: string, share: number) => void;
    /** Most threads; more than one needs a page that is isolated from other origins. */
    threads?: number;
    /** false: the model is not tested at its first load. */
    selfTest?: boolean;
}
export interface SelfTestReport {
    /** Part -> its distance from the reference. */
    errors: Record<string, number>;
    limits: Record<string, number>; answer: string; expected: string; passed: boolean;
}

/** A model in a worker. Calls are answered one at a time; an error's name says what kind it is. */
export class Model {
    static load<T>(this: new (...values: never[]) => T, options?: LoadOptions): Promise<T>;
    selfTest(options?: CallOptions): Promise<SelfTestReport>;
    /** Gives the model back; with the last one of a page its memory is free. */
    dispose(): Promise<void>;
}

/** Sound from the microphone, or from another stream, in chunks. */
export function microphone(
    options?: { rate?: number; signal?: AbortSignal; stream?: MediaStream },
): AsyncGenerator<Float32Array>;
