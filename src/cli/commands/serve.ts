/** `resnext serve`: serves models over HTTP until it is told to end. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { messageOf, UsageError } from '../../errors.ts';
import { refusing } from '../../files.ts';
import type { OptionsOf } from '../../options.ts';
import type { LogEntry } from '../../serve/options.ts';
import { type Server, serve } from '../../serve/server.ts';
import { onInterrupt } from '../interrupt.ts';
import type { serveOptions } from '../options/serve.ts';
import type { Output } from '../output.ts';

type Options = OptionsOf<typeof serveOptions>;

/** SIGTERM and Ctrl-C end the server when it has answered what it has accepted; SIGHUP reads all models again. */
export async function run({ model, keys, log, ...options }: Options, output: Output): Promise<number> {
  const print = (entry: LogEntry) => {
    if (log === 'requests' || (log === 'errors' && entry.level !== 'info')) output.data(`${JSON.stringify(entry)}\n`);
  };
  let server: Server | undefined;
  const reload = () => void (server && reloadAll(server, output));
  process.on('SIGHUP', reload); // from the start, since it would end the process
  server = await serve({
    ...options,
    models: namedModels(model),
    ...(keys !== undefined && { keys: keysIn(keys) }),
    onLog: print,
  });
  for (const note of server.notes) output.warn(note);
  output.note(`Serving ${server.models.join(', ')} at ${server.url}. Documentation: ${server.url}/docs`);
  await new Promise<void>((resolve) => {
    const off = onInterrupt(() => {
      off(); // a second signal ends the process at once
      resolve();
    });
  });
  process.off('SIGHUP', reload);
  output.note('Ending, when all accepted requests are answered.');
  await server.close();
  return 0;
}

async function reloadAll(server: Server, output: Output): Promise<void> {
  for (const name of server.models) {
    await server.load(name).catch((error: unknown) => {
      output.warn(`${name} was not replaced. ${messageOf(error)}`);
    });
  }
}

/** `NAME=MODEL`, or a model by itself, whose name is that of its file or folder. */
function namedModels(typed: readonly string[]): Record<string, string> {
  const named: Record<string, string> = {};
  for (const text of typed) {
    const [, given, source = text] = /^([\w.-]+)=(.+)$/.exec(text) ?? [];
    const name = given ?? nameOf(source);
    if (named[name] !== undefined) {
      throw new UsageError(`Two models are named "${name}". Name one of them: --model other=${source}.`);
    }
    named[name] = source;
  }
  return named;
}

const nameOf = (source: string): string =>
  basename(source)
    .replace(/\.(safetensors|onnx|pth|pt|t7|bin)$/i, '')
    .replaceAll(/[^\w.-]/g, '-');

function keysIn(file: string): string[] {
  const lines = refusing('read', file, () => readFileSync(file, 'utf8')).split('\n');
  const keys = lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
  if (keys.length > 0) return keys;
  throw new UsageError(`There are no keys in "${file}". Write one per line, for example of openssl rand -hex 32.`);
}
