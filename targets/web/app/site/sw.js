// Keeps the page itself for visits without a network; the model's files are kept by the package. The network comes first.
const NAME = "edgekit page edgekit-version", FILES = "edgekit-files";

addEventListener("install", (event) => event.waitUntil(caches.open(NAME).then((kept) => kept.addAll(FILES.split(" ")))));
addEventListener("activate", (event) => event.waitUntil((async () => {
    const older = (await caches.keys()).filter((name) => name.startsWith("edgekit page ") && name !== NAME);
    await Promise.all(older.map((name) => caches.delete(name)));
})()));
addEventListener("fetch", (event) => {
    const { method, url } = event.request;
    if (method === "GET" && url.startsWith(registration.scope) && !url.includes("/lib/model/")) {
        event.respondWith(fetch(event.request).catch(async (error) => {
            const kept = await caches.match(event.request, { cacheName: NAME, ignoreSearch: true });
            return kept ?? Promise.reject(error);
        }));
    }
});
