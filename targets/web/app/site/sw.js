// Keeps the page itself for visits without a network, and what it fetches later: builds of the runtime for threads and for old
// browsers. The model's files are kept by the package. The network comes first.
const NAME = "edgekit page edgekit-version", FILES = "edgekit-files";

addEventListener("install", (event) => event.waitUntil(caches.open(NAME).then((kept) => kept.addAll(FILES.split(" ")))));
addEventListener("activate", (event) => event.waitUntil((async () => {
    const older = (await caches.keys()).filter((name) => name.startsWith("edgekit page ") && name !== NAME);
    await Promise.all(older.map((name) => caches.delete(name)));
})()));
addEventListener("fetch", (event) => {
    const { method, url } = event.request;
    if (method === "GET" && url.startsWith(registration.scope) && !url.includes("/lib/model/")) {
        event.respondWith(answer(event.request));
    }
});

async function answer(request) {
    const kept = await caches.open(NAME), before = await kept.match(request, { ignoreSearch: true });
    try {
        const fresh = await fetch(request);
        if (!before && fresh.status === 200) {
            await kept.put(request, fresh.clone());
        }
        return fresh;
    } catch (error) {
        return before ?? Promise.reject(error);
    }
}
