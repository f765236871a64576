/** The routes of a server as a page, from its OpenAPI document. */
import { escapeHtml, htmlTable, page } from '../page.ts';
import { imageGroup, type Route } from './route.ts';

const style = `
code, pre { font: 0.9em/1.5 ui-monospace, monospace; }
pre { overflow-x: auto; padding: 0.75rem 1rem; border: 1px solid var(--line); border-radius: 0.5rem; }
h2 { margin: 2rem 0 0.5rem; }
h3 { margin: 1rem 0 0.25rem; font-size: 1em; }
td:first-child { font-family: ui-monospace, monospace; font-size: 0.9em; }
td:last-child { min-width: 14rem; white-space: normal; }
`;

/** @param url of the server, for examples. */
export function docsPage(routes: readonly Route[], url: string, hasKeys: boolean): string {
  const key = hasKeys ? ' -H "Authorization: Bearer $KEY"' : '';
  const groups = [...new Set(routes.map(({ group }) => group))];
  const tables = groups.flatMap((group) => {
    const rows = routes
      .filter((route) => route.group === group)
      .map(({ method, path, summary }) => [`${method} ${shownPath(path)}`, summary]);
    const heading = `<h2>${escapeHtml(group)}</h2>`;
    return [heading, htmlTable([['request', 'answer'], ...rows]), ...parametersOf(routes, group)];
  });
  const examples = [
    `curl${key} --data-binary @photo.jpg "${url}/v1/classify?top=3"`,
    `curl${key} -F image=@a.jpg -F image=@b.jpg ${url}/v1/features`,
    `curl${key} --json "{\\"inputs\\": [\\"$(base64 -w0 photo.jpg)\\"]}" ${url}/v1/classify`,
  ];
  return page(
    'resnext server',
    [
      '<h1>resnext server</h1>',
      '<p>Requests with images are an image file, a form with one or more files, or JSON with base64. Parameters are in the address, in fields of the form, or in the JSON. All are described in <a href="/docs/openapi.json">an OpenAPI document</a>.</p>',
      `<pre>${escapeHtml(examples.join('\n'))}</pre>`,
      ...tables,
    ],
    style,
  );
}

/** The parameters of a group of routes whose paths are different words, such as `/v1/classify`. */
function parametersOf(routes: readonly Route[], group: string): string[] {
  if (group !== imageGroup) return [];
  const meanings = new Map<string, { readonly of: string[]; readonly meaning: string }>();
  for (const { path, parameters } of routes.filter((route) => route.group === group)) {
    for (const [name, { description = '' }] of Object.entries(parameters?.shape ?? {})) {
      const known = meanings.get(name) ?? { of: [], meaning: description };
      meanings.set(name, { ...known, of: [...known.of, path.split('/').at(-1)!] });
    }
  }
  const rows = [...meanings].map(([name, { of, meaning }]) => [name, of.join(', '), meaning]);
  return ['<h3>Parameters</h3>', htmlTable([['name', 'of', 'meaning'], ...rows])];
}

const shownPath = (path: string): string => path.replaceAll(/(?<!:):(\w+)/g, '{$1}').replaceAll('::', ':');
