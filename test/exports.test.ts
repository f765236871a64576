/** The exports of each entry point, in Node and in browsers, and that the browser builds do not need Node. */
import { readFileSync } from 'node:fs';
import { expect, it, test } from 'vitest';

const entry = new URL('../dist/entry/', import.meta.url);

const namesOf = async (file: string): Promise<string[]> => Object.keys(await import(new URL(file, entry).href)).sort();

test.each(['resnext', 'graph', 'weights', 'data', 'train', 'serve'])(
  '%s',
  async (door) => {
    const anywhere = door === 'serve' ? [] : await namesOf(`${door}.js`);
    const inNode = door === 'train' ? anywhere : await namesOf(`${door}.node.js`);
    expect({ anywhere, inNode: inNode.filter((name) => !anywhere.includes(name)) }).toMatchSnapshot();
  },
  180_000, // the first one loads most modules, which takes a minute on a busy machine
);

const platforms: Readonly<Record<string, string>> = {
  '#platform': '../platform/web.js',
  '#platform/images': '../platform/web/images.js',
};

/** A file of the build and all that it imports, but for the platform, which package.json chooses. */
function filesFrom(file: URL, found = new Set<string>()): Set<string> {
  if (found.has(file.href)) return found;
  found.add(file.href);
  for (const specifier of importsOf(file)) {
    const platform = platforms[specifier];
    if (platform !== undefined) filesFrom(new URL(platform, entry), found);
    else if (specifier.startsWith('.')) filesFrom(new URL(specifier, file), found);
  }
  return found;
}

const importsOf = (file: URL): string[] =>
  [...readFileSync(file, 'utf8').matchAll(/(?:\bfrom\s|\bimport\s|\bimport\()\s*['"]([^'"]+)['"]/g)].map(
    ([, name]) => name!,
  );

it.each(['resnext', 'graph', 'weights', 'data', 'train'])('%s needs nothing of Node in a browser', (door) => {
  const files = [...filesFrom(new URL(`${door}.js`, entry))];
  const nodes = files.flatMap((file) => importsOf(new URL(file)).filter((name) => name.startsWith('node:')));
  expect(nodes).toEqual([]);
});
