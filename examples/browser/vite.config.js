/** With these headers, WebAssembly may have threads. A server of the built page has to send them, too. */
const headers = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };

export default { server: { headers }, preview: { headers } };
