import { failure, cancellation } from "./failure.js";
import { free } from "./own.js";

const TRIES = 3;

/**
 * The files of a model: fetched in streams, checked by SHA-256, and kept in the browser's cache by version, so that a
 * second visit needs no network. Where nothing can be kept (private mode, no space) it goes on without.
 */
export class Files {
    #list;
    #store;
    #report;
    #signal;
    #got = 0;
    #total = 0;
    #keeping = [];

    /** @param list the package's: {name, version, files: [{name, size, shards: [{url, size, sha256}]}]}. */
    constructor(list, store, report, signal) {
        [this.#list, this.#store, this.#report, this.#signal] = [list, store, report, signal];
    }

    /** @param report told how many bytes came, of how many. */
    static async open(list, report, signal) {
        if (!globalThis.crypto?.subtle) {
            throw failure("Unsupported", "a model's files are checked by crypto.subtle: open the page by https:// or on localhost");
        }
        return new Files(list, await openStore(list), report, signal);
    }

    /** Of the files that will be read, for the progress. */
    expect(names) {
        this.#total += names.reduce((sum, name) => sum + this.#file(name).size, 0);
    }

    has(name) {
        return this.#list.files.some((file) => file.name === name);
    }

    size(name) {
        return this.#file(name).size;
    }

    /** @param bytes where they go; memory that threads share takes no checks, and so each shard has its own first. */
    async read(name, bytes = new Uint8Array(this.size(name))) {
        const shared = !(bytes.buffer instanceof ArrayBuffer);
        let at = 0;
        for (const shard of this.#file(name).shards) {
            const place = bytes.subarray(at, at + shard.size), into = shared ? new Uint8Array(shard.size) : place;
            (await this.#take(into, shard)) || (await this.#fetch(into, shard));
            shared && place.set(into);
            at += shard.size;
        }
        return bytes;
    }

    async json(name) {
        return JSON.parse(new TextDecoder().decode(await this.read(name)));
    }

    /** A small text that goes with the version, such as the browser that passed the self-test; undefined: none. */
    async note(name) {
        return (await this.#store?.match(key(name)).catch(() => undefined))?.text();
    }

    /** Keeps bytes or a text; false where there is no room. */
    async keep(name, content) {
        return !!(await this.#store?.put(key(name), new Response(content)).then(() => true, () => false));
    }

    #file(name) {
        const file = this.#list.files.find((one) => one.name === name);
        if (!file) {
            throw failure("Damaged", `the package has no file ${name}`);
        }
        return file;
    }

    #advance(bytes) {
        this.#got += bytes;
        if (this.#total) {
            this.#report?.(this.#got, this.#total);
        }
    }

    /** Whether the shard is kept; what is kept is checked, too. */
    async #take(into, shard) {
        const body = await this.#store?.match(key(shard.sha256)).then((kept) => kept?.arrayBuffer()).catch(() => undefined);
        if (body?.byteLength !== into.length) {
            return false;
        }
        into.set(new Uint8Array(body));
        free(body);
        if (await isRight(into, shard)) {
            this.#advance(into.length);
            return true;
        }
        return false;
    }

    /** From the server; goes on where it was cut, in this visit or in one before. */
    async #fetch(into, shard) {
        const part = `${shard.sha256}.part`, begun = await this.#store?.match(key(part)).catch(() => undefined);
        const state = { got: 0, reload: false };
        if (begun) {
            const bytes = new Uint8Array(await begun.arrayBuffer()).subarray(0, into.length);
            into.set(bytes);
            this.#advance((state.got = bytes.length));
        }
        for (let trial = 1; ; trial++) {
            try {
                await this.#stream(into, shard, state);
                if (await isRight(into, shard)) {
                    break;
                }
                // What was kept or cached may be of an older version: once more from the beginning, past all caches.
                this.#advance(-state.got);
                const error = failure("FileChanged", `${shard.url} is another file than this package's; reload the page`);
                error.last = state.reload;
                Object.assign(state, { got: 0, reload: true });
                throw error;
            } catch (error) {
                if (this.#signal?.aborted || trial === TRIES || error.last) {
                    await (state.got ? this.keep(part, into.subarray(0, state.got)) : this.#store?.delete(key(part)));
                    throw this.#signal?.aborted ? cancellation() : error;
                }
            }
        }
        this.#keeping.push(this.keep(shard.sha256, into).then(() => this.#store?.delete(key(part)).catch(() => false)));
    }

    /** When all that was fetched is kept, as far as there is room. What comes next does not wait for it. */
    async finishKeeping() {
        await Promise.all(this.#keeping);
    }

    async #stream(into, { url }, state) {
        const headers = state.got ? { Range: `bytes=${state.got}-` } : {};
        const asked = { headers, signal: this.#signal, cache: state.reload ? "reload" : "default" };
        const answer = await fetch(url, asked).catch((error) => {
            throw failure("NetworkError", `${url} cannot be fetched: ${error.message}`);
        });
        if (!answer.ok && answer.status !== 416) {
            const error = failure("NetworkError", `${url} cannot be fetched: the server says ${answer.status}`);
            throw Object.assign(error, { last: answer.status < 500 });
        }
        if (answer.status !== 206) {
            this.#advance(-state.got);
            state.got = 0;
        }
        for (const reader = answer.body.getReader(); answer.ok; ) {
            const { done, value } = await reader.read().catch((error) => {
                throw failure("NetworkError", `${url} broke off after ${state.got} of ${into.length} bytes: ${error.message}`);
            });
            if (done) {
                break;
            }
            if (state.got + value.length > into.length) {
                await reader.cancel();
                break; // longer than it should be: the hash of its beginning is another
            }
            into.set(value, state.got);
            state.got += value.length;
            this.#advance(value.length);
            free(value.buffer);
        }
        if (state.got < into.length && answer.ok) {
            throw failure("NetworkError", `${url} ends after ${state.got} of ${into.length} bytes`);
        }
    }
}

const key = (name) => `https://edgekit.invalid/${name}`;

async function isRight(bytes, { sha256 }) {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("") === sha256;
}

/** The cache of this version; those of others that no tab uses are dropped. Null where the browser keeps nothing. */
async function openStore({ name, version }) {
    try {
        const own = `edgekit ${name} ${version}`;
        // Shared, and never given back: it ends with this worker.
        await new Promise((held, fail) => navigator.locks.request(own, { mode: "shared" }, () => new Promise(held)).catch(fail));
        const store = await caches.open(own), drop = (other) => (lock) => lock && caches.delete(other);
        const older = (await caches.keys()).filter((other) => other.startsWith(`edgekit ${name} `) && other !== own);
        await Promise.all(older.map((other) => navigator.locks.request(other, { ifAvailable: true }, drop(other))));
        return store;
    } catch {
        return null;
    }
}
