/** Pictures to try, for someone who has none at hand. */
import chelsea from '../explore/cat.jpg';

const files: Readonly<Record<string, string>> = import.meta.glob('../../examples/pictures/*.jpg', {
  query: '?url',
  import: 'default',
  eager: true,
});

const own = Object.entries(files).map(([path, url]) => [/([^/]+)\.jpg$/.exec(path)![1]!, url] as const);

/** The URL of each by its name, which is also its name in the address. */
export const samples: ReadonlyMap<string, string> = new Map([
  ['chelsea', chelsea],
  ...own.filter(([name]) => name !== 'cat'),
]);
