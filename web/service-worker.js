// Keeps the page for when there is no network. `version` and `files` are filled in by the build (`vite.config.ts`):
// `files` is what the first view needs. Anything else, such as the runtime, is kept once it has been loaded.
const version = '__VERSION__';
const files = ['__FILES__'];

/** Makes the page isolated from other origins, so that WebAssembly may have threads on hosts that send no headers. */
const isolation = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };

self.addEventListener('install', (event) => {
  event.waitUntil(
    caches
      .open(version)
      .then((cache) => cache.addAll(files))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener('activate', (event) => {
  const old = caches.keys().then((names) => names.filter((name) => name.startsWith('page-') && name !== version));
  event.waitUntil(
    old.then((names) => Promise.all(names.map((name) => caches.delete(name)))).then(() => self.clients.claim()),
  );
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET' || new URL(request.url).origin !== self.location.origin) return;
  event.respondWith(request.mode === 'navigate' ? freshOrKept(request) : keptOrFresh(request));
});

/** The page itself: the newest, or what was kept if there is no network. */
async function freshOrKept(request) {
  const fresh = await fetch(request).catch(() => undefined);
  return isolated(fresh ?? (await caches.match('./', { cacheName: version, ignoreVary: true })) ?? Response.error());
}

/** Files whose names change with their contents. */
async function keptOrFresh(request) {
  const cache = await caches.open(version);
  // Some hosts say that files vary with their reader's origin, which is always this one.
  const kept = await cache.match(request, { ignoreVary: true });
  if (kept) return isolated(kept);
  const fresh = await fetch(request);
  // Without room for it, the file is only not kept.
  if (fresh.ok && fresh.status === 200) await cache.put(request, fresh.clone()).catch(() => {});
  return isolated(fresh);
}

function isolated(response) {
  if (response.type === 'error' || response.status === 0) return response;
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(isolation)) headers.set(name, value);
  const { status, statusText } = response;
  return new Response(response.body, { status, statusText, headers });
}
