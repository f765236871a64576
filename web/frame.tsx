/** What surrounds every part: the name, the navigation once there is a choice, the theme, and the part that is shown. */
import type { ComponentType } from 'preact';
import { Component, type ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { type Address, formatAddress, parseAddress } from './address.ts';
import { type PartEntry, type PartProps, parts } from './parts.ts';
import { ThemeButton } from './theme.tsx';

/** How long the address waits for the next change: browsers refuse to replace it a hundred times in a few seconds. */
const addressDelay = 250;

export function Frame() {
  const [opened, write] = useAddress();
  const entry = parts.find(({ name }) => name === opened.part) ?? parts[0]!;
  useArrival(entry);
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById('main')!.focus()}>
        Skip to the content
      </button>
      <header class="frame">
        <p class="name">
          <a href={`#${parts[0]!.name}`}>resnext</a>
        </p>
        {parts.length > 1 && (
          <nav aria-label="Parts">
            {parts.map(({ name, title }) => (
              <a key={name} href={`#${name}`} aria-current={name === entry.name ? 'page' : undefined}>
                {title}
              </a>
            ))}
          </nav>
        )}
        <ThemeButton />
      </header>
      <main id="main" tabIndex={-1}>
        <Guard key={entry.name}>
          <Loaded
            key={entry.name}
            load={entry.load}
            fields={opened.fields}
            onFields={(fields) => write({ part: entry.name, fields })}
          />
        </Guard>
      </main>
      <footer class="frame">
        <p>Everything here runs in your browser. Nothing that you open on this page leaves it.</p>
      </footer>
    </>
  );
}

/** Names the page after its part, and moves the focus there when another one is chosen. */
function useArrival(entry: PartEntry): void {
  const before = useRef(entry);
  useEffect(() => {
    document.title = `${entry.title} · resnext`;
    if (before.current !== entry) document.getElementById('main')!.focus();
    before.current = entry;
  }, [entry]);
}

/** The address that was opened last, by hand or by a link, and a function that replaces it without opening it. */
function useAddress(): [Address, (address: Address) => void] {
  const [opened, setOpened] = useState(() => parseAddress(location.hash));
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => {
    const open = () => {
      clearTimeout(timer.current);
      setOpened(parseAddress(location.hash));
    };
    addEventListener('hashchange', open);
    return () => removeEventListener('hashchange', open);
  }, []);
  const write = (address: Address) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => history.replaceState(null, '', formatAddress(address)), addressDelay);
  };
  return [opened, write];
}

type LoadedProps = PartProps & { readonly load: () => Promise<{ readonly Part: ComponentType<PartProps> }> };

function Loaded({ load, ...props }: LoadedProps) {
  const [Part, setPart] = useState<ComponentType<PartProps>>();
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    load().then(
      (module) => setPart(() => module.Part),
      () => setFailed(true),
    );
  }, [load]);
  if (failed) return <Problem text="This part of the page did not load. Check the connection and reload the page." />;
  return Part ? <Part {...props} /> : <p class="loading">Loading…</p>;
}

const Problem = ({ text }: { readonly text: string }) => (
  <p class="problem" role="alert">
    {text}
  </p>
);

/** Says that a part has failed, instead of leaving the page empty. */
class Guard extends Component<{ readonly children: ComponentChildren }, { readonly error?: unknown }> {
  static override getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override componentDidCatch(error: unknown) {
    reportError(error);
  }

  override render() {
    const { error } = this.state;
    if (error === undefined) return this.props.children;
    const reason = error instanceof Error ? ` (${error.message})` : '';
    return <Problem text={`This part of the page has stopped${reason}. Reload the page.`} />;
  }
}
