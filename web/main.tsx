import { render } from 'preact';
import { Frame } from './frame.tsx';

if (!import.meta.hot && 'serviceWorker' in navigator) {
  // Where it is refused, as without HTTPS, the page works as long as there is a network.
  addEventListener('load', () => void navigator.serviceWorker.register('./service-worker.js').catch(() => {}));
}

render(<Frame />, document.getElementById('page')!);
