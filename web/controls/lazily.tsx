/** Parts of a page that load when they are about to be seen. */
import type { ComponentType } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

/**
 * A component without properties that is loaded when its place is less than a screen away.
 *
 * @param height of its place until then, in pixels, so that little moves.
 */
export function lazily(load: () => Promise<ComponentType>, height: number): ComponentType {
  return function Lazy() {
    const place = useRef<HTMLDivElement>(null);
    const [Loaded, setLoaded] = useState<ComponentType>();
    const [failed, setFailed] = useState(false);
    useEffect(() => {
      const observer = new IntersectionObserver(
        ([entry]) => {
          if (!entry!.isIntersecting) return;
          observer.disconnect();
          load().then(
            (component) => setLoaded(() => component),
            () => setFailed(true),
          );
        },
        { rootMargin: '100%' },
      );
      observer.observe(place.current!);
      return () => observer.disconnect();
    }, []);
    if (Loaded) return <Loaded />;
    return (
      <div ref={place} style={{ minHeight: `${height}px` }}>
        {failed && (
          <p class="problem" role="alert">
            This figure did not load. Check the connection and reload the page.
          </p>
        )}
      </div>
    );
  };
}
