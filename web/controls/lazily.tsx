/** Parts of a page that are drawn, or loaded, when they are about to be seen. */
import type { ComponentChildren, ComponentType } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

interface NearProps {
  /** Of the place until its contents are there, in pixels, so that little moves. */
  readonly height: number;
  readonly children: () => ComponentChildren;
}

/** Draws its contents once its place is less than a screen away. */
export function Near({ height, children }: NearProps) {
  const place = useRef<HTMLDivElement>(null);
  const [isNear, setNear] = useState(false);
  useEffect(() => {
    const observer = new IntersectionObserver(([entry]) => entry!.isIntersecting && setNear(true), {
      rootMargin: '100%',
    });
    observer.observe(place.current!);
    return () => observer.disconnect();
  }, []);
  return isNear ? children() : <div ref={place} style={{ minHeight: `${height}px` }} />;
}

/** A component without properties that is loaded once its place, of this height, is less than a screen away. */
export function lazily(load: () => Promise<ComponentType>, height: number): ComponentType {
  const Loading = () => {
    const [Loaded, setLoaded] = useState<ComponentType>();
    const [failed, setFailed] = useState(false);
    useEffect(() => {
      load().then(
        (component) => setLoaded(() => component),
        () => setFailed(true),
      );
    }, []);
    if (Loaded) return <Loaded />;
    return (
      <div style={{ minHeight: `${height}px` }}>
        {failed && (
          <p class="problem" role="alert">
            This figure did not load. Check the connection and reload the page.
          </p>
        )}
      </div>
    );
  };
  return () => <Near height={height}>{() => <Loading />}</Near>;
}
