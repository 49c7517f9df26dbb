const policy = { key: "Cross-Origin-Embedder-Policy", value: "require-corp" };
const opener = { key: "Cross-Origin-Opener-Policy", value: "same-origin" };
export default {
    headers: () => [
        { source: "/_next/:path*", headers: [policy] },
        { source: "/isolated", headers: [policy, opener] },
    ],
};
