/** `classify`, `features` and `evaluate` on the command line: every source of images, every output format. */
import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet';
import { type Evaluation, load, type Prediction } from 'resnext';
import type { Stage } from 'resnext/graph';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ended, exportSmall, json, run } from './command.ts';
import { relativeError } from './tensors.ts';

const examples = fileURLToPath(new URL('../examples/images', import.meta.url));
const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const classes = ['airplane', 'automobile', 'frog', 'horse'];
let dir: string;
let photos: string;
let model: string;
let paths: string[];

type Classified = { image: string; predictions?: Prediction[]; error?: string };

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-using-'));
  photos = join(dir, 'photos');
  cpSync(join(examples, 'unseen'), join(photos, 'a'), { recursive: true });
  mkdirSync(join(photos, 'b'));
  renameSync(join(photos, 'a/frog-1.jpg'), join(photos, 'b/frog, 1.jpg'));
  writeFileSync(join(photos, 'notes.txt'), 'no image');
  paths = ['a', 'b'].flatMap((name) => readdirSync(join(photos, name)).map((file) => join(photos, name, file)));
  model = join(dir, 'model.onnx');
  await exportSmall(model);
}, 60_000);
afterAll(() => rmSync(dir, { recursive: true }));

const classify = (...args: string[]): Promise<Ended> => run('classify', ...args, '--model', model);
const images = (results: readonly Classified[]): string[] => results.map(({ image }) => image);

/** Expects exit code 1 and an error message on one line, without a stack. */
function expectError({ code, stdout, stderr }: Ended, message: RegExp): void {
  expect(stderr).toMatch(message);
  expect(stderr).toMatch(/^error: .*\.\n$/);
  expect([code, stdout]).toEqual([1, '']);
}

/** The output of the command with these bytes on standard input. */
function withInput(bytes: Uint8Array, ...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, [main, ...args], { env: { ...process.env, NO_COLOR: '1' } });
  const printed = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      printed[name] += text;
    });
  }
  child.stdin.end(bytes);
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, ...printed })));
}

describe('sources of images', () => {
  it('a folder, with its subfolders, and a pattern give the same results, also in batches', async () => {
    const [folder, pattern] = await Promise.all([
      json<Classified[]>('classify', photos, '--model', model, '--batch', '5'),
      json<Classified[]>('classify', `${photos}/**/*`, '--model', model),
    ]);
    expect(images(folder)).toEqual(paths);
    expect(images(pattern)).toEqual(paths);
    for (const [n, { predictions }] of folder.entries()) {
      const [one, other] = [predictions!, pattern[n]!.predictions!].map((found) => ({
        data: Float32Array.from(found, ({ probability }) => probability),
      }));
      expect(relativeError(one!, other!)).toBeLessThan(1e-5);
    }
  });

  it('standard input, a URL and a file', async () => {
    const path = paths[0]!;
    const server = createServer((request, response) => {
      if (request.url === '/moved') response.writeHead(302, { location: '/image' }).end();
      else if (request.url === '/image') response.end(readFileSync(path));
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const args = ['classify', '-', path, `${base}/moved`, `${base}/none`, '--model', model, '--json'];
    const { code, stdout, stderr } = await withInput(readFileSync(path), ...args);
    server.closeAllConnections();
    server.close();
    const results = JSON.parse(stdout) as Classified[];
    expect(images(results)).toEqual(['-', path, `${base}/moved`, `${base}/none`]);
    expect(results[0]!.predictions).toEqual(results[1]!.predictions);
    expect(results[2]!.predictions).toEqual(results[1]!.predictions);
    expect(results[3]!.error).toMatch(/cannot be fetched: the server responded 404/);
    expect([code, stderr]).toEqual([1, `warning: ${results[3]!.error}\n`]);
  });

  it('class names from a labels file', async () => {
    const names = Array.from({ length: 4 }, (_, k) => `label ${k}`);
    const files = { 'list.json': JSON.stringify(names), 'lines.txt': `${names.join('\n')}\n` };
    for (const [name, text] of Object.entries(files)) {
      writeFileSync(join(dir, name), text);
      const args = ['classify', paths[0]!, '--model', model, '--labels', join(dir, name)];
      const [{ predictions }] = (await json<Classified[]>(...args)) as [Classified];
      expect(predictions!.map(({ label }) => label).sort()).toEqual(names);
    }
    const wrong = {
      '{"cat": "0"}': '--labels has 1 name, but the model has 4 classes. Give one name per class.',
      '{"a": 0, "b": 1, "c": 2, "d": 4}': 'wrong.json" has 4 classes numbered from 0 to 4, but none for output 3.',
      '{"a": 0, "b": 0, "c": 1, "d": 2}': 'wrong.json" has two classes 0: "a" and "b".',
    };
    for (const [text, message] of Object.entries(wrong)) {
      writeFileSync(join(dir, 'wrong.json'), text);
      const { code, stderr } = await run('classify', paths[0]!, '--model', model, '--labels', join(dir, 'wrong.json'));
      expect([code, stderr]).toEqual([1, expect.stringContaining(message)]);
    }
  });

  it('standard input without an image', async () => {
    const { code, stdout, stderr } = await withInput(new Uint8Array(0), 'classify', '-', '--model', model);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toBe('error: Standard input is empty, but expected the bytes of an image.\n');
  });

  it('refuse a folder or pattern without images, standard input twice, and an empty batch', async () => {
    const empty = join(dir, 'empty');
    mkdirSync(empty);
    expectError(await classify(empty), /Folder ".*empty" contains no images \(\.jpg /);
    expectError(await classify(`${photos}/*`), /No image matches the pattern ".*photos\/\*"\./);
    expectError(await classify(join(dir, 'none.jpg')), /There is no image ".*none\.jpg"\./);
    expectError(await classify(`${paths[0]}/x`), /There is no image ".*\.jpg\/x"\./);
    expectError(
      await classify(photos, '-o', `${paths[0]}/x.csv`),
      /Cannot write ".*\/x\.csv": part of the path is a file/,
    );
    expectError(await classify('-', '-'), /Standard input is one image/);
    expectError(await classify(photos, '--batch', '0'), /--batch is 0, but expected a whole number of at least 1\./);
    expectError(await classify(photos, '--threshold', '50'), /--threshold is 50, but expected a number from 0 to 1\./);
    expectError(await classify(photos, '--top', '2.5'), /--top is 2\.5, but expected a whole number of at least 1\./);
    expectError(
      await classify(photos, '--threads', '-1'),
      /--threads is -1, but expected a whole number from 1 to 256\./,
    );
  });
});

describe('the output of classify', () => {
  const photo = () => join(photos, 'b/frog, 1.jpg');
  const missing = () => join(dir, 'missing.png');

  it('is the same as text, JSON, JSON lines and CSV', async () => {
    const args = [photo(), missing(), '--top', '2'];
    const [text, document, lines, csv] = await Promise.all([
      classify(...args),
      classify(...args, '--format', 'json'),
      classify(...args, '--format', 'jsonl'),
      classify(...args, '--format', 'csv'),
    ]);
    for (const { code, stderr } of [text, document, lines, csv]) {
      expect([code, stderr]).toEqual([1, `warning: There is no image "${missing()}".\n`]);
    }
    const results = JSON.parse(document.stdout) as Classified[];
    const [first, second] = results[0]!.predictions!;
    const percent = ({ label, probability }: Prediction) => `  ${(100 * probability).toFixed(1)} %  ${label}\n`;
    expect(results[1]).toEqual({ image: missing(), error: `There is no image "${missing()}".` });
    expect(text.stdout).toBe(`${photo()}\n${percent(first!)}${percent(second!)}`);
    expect(lines.stdout).toBe(results.map((result) => `${JSON.stringify(result)}\n`).join(''));
    const row = ({ label, probability }: Prediction, rank: number) =>
      `"${photo()}",${rank},${label},${Number(probability.toPrecision(6))},\n`;
    const error = `${missing()},,,,"There is no image ""${missing()}""."\n`;
    expect(csv.stdout).toBe(`image,rank,label,probability,error\n${row(first!, 1)}${row(second!, 2)}${error}`);
  });

  it('says that no class reaches the threshold', async () => {
    const args = [photo(), '--threshold', '1'];
    expect((await classify(...args)).stdout).toBe(`${photo()}\n  no class reaches 100 %\n`);
    expect((await classify(...args, '--format', 'csv')).stdout).toMatch(/\n".*frog, 1\.jpg",,,,\n$/);
    expect(await json('classify', ...args, '--model', model)).toEqual([{ image: photo(), predictions: [] }]);
  });

  it('goes to a file, in the format of its extension', async () => {
    for (const [name, start] of [
      ['o.csv', 'image,rank,'],
      ['o.jsonl', '{"image":"'],
      ['o.json', '[\n  {\n'],
      ['o.txt', `${paths[0]}\n  `],
    ] as const) {
      const { code, stdout } = await classify(photos, '-o', join(dir, name));
      expect([code, stdout]).toEqual([0, `Wrote ${join(dir, name)}: 12 images.\n`]);
      expect(readFileSync(join(dir, name), 'utf8').startsWith(start)).toBe(true);
    }
    const document = JSON.parse(readFileSync(join(dir, 'o.json'), 'utf8')) as Classified[];
    const lines = readFileSync(join(dir, 'o.jsonl'), 'utf8').trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual(document);
  });

  it('--json contradicts another format', async () => {
    expectError(await classify(photo(), '--json', '--format', 'csv'), /--json is short for .*Remove one of them\./);
  });

  it('averages views as the library does', async () => {
    const classifier = await load(model);
    for (const views of ['flip', 'ten-crop'] as const) {
      const [found] = await json<Classified[]>('classify', photo(), '--model', model, '--tta', views);
      expect(found!.predictions).toEqual(await classifier.classify(photo(), { views }));
    }
    await classifier.dispose();
  });
});

describe('features', () => {
  const features = (...args: string[]) => run('features', photos, '--model', model, ...args);

  /** The shape and contents of a .npy file. */
  function readNpy(path: string): { dims: number[]; data: Float32Array } {
    const bytes = new Uint8Array(readFileSync(path));
    const start = 10 + bytes[8]! + 256 * bytes[9]!;
    const shape = /'shape': \(([^)]*)\)/.exec(new TextDecoder().decode(bytes.subarray(0, start)))![1]!;
    const dims = shape
      .split(',')
      .filter((text) => text.trim() !== '')
      .map(Number);
    return { dims, data: new Float32Array(bytes.buffer, start) };
  }

  /** The library's results, image by image. */
  async function expected(stage: Stage): Promise<{ data: Float32Array }> {
    const classifier = await load(model);
    const maps = await classifier.features(paths, { stages: [stage], batchSize: 1 });
    await classifier.dispose();
    return { data: Float32Array.from(maps.flatMap((map) => Array.from(map.get(stage)!.data))) };
  }

  it('a vector per image as .npy, with the paths in a separate file', async () => {
    const file = join(dir, 'f.npy');
    const { code, stdout } = await features('-o', file, '--batch', '5');
    expect([code, stdout]).toEqual([0, `Wrote ${file}, ${dir}/f.paths.txt: pooled [256] of 12 images.\n`]);
    const { dims, data } = readNpy(file);
    expect(dims).toEqual([12, 256]);
    expect(relativeError({ data }, await expected('pooled'))).toBeLessThan(1e-5);
    expect(readFileSync(join(dir, 'f.paths.txt'), 'utf8')).toBe(paths.map((path) => `${path}\n`).join(''));
  });

  it('maps of several stages, one file each', async () => {
    const file = join(dir, 'maps.npy');
    const result = await json('features', photos, '--model', model, '--stages', 'stem,layer2', '-o', file);
    const files = ['maps.stem.npy', 'maps.layer2.npy', 'maps.paths.txt'].map((name) => join(dir, name));
    expect(result).toEqual({ files, images: 12, stages: { stem: [16, 32, 32], layer2: [128, 16, 16] }, corrupt: [] });
    expect(existsSync(file)).toBe(false);
    for (const [name, stage, dims] of [
      ['maps.stem.npy', 'stem', [12, 16, 32, 32]],
      ['maps.layer2.npy', 'layer2', [12, 128, 16, 16]],
    ] as const) {
      const found = readNpy(join(dir, name));
      expect(found.dims).toEqual(dims);
      expect(relativeError(found, await expected(stage))).toBeLessThan(1e-5);
    }
  });

  it('Parquet has a column of lists, JSON lines one object per image', async () => {
    const [parquet, lines] = [join(dir, 'f.parquet'), join(dir, 'f.jsonl')];
    for (const file of [parquet, lines]) expect((await features('-o', file)).code).toBe(0);
    const file = await asyncBufferFromFile(parquet);
    const { children } = parquetSchema(await parquetMetadataAsync(file));
    expect(children.map(({ element }) => [element.name, element.converted_type])).toEqual([
      ['path', 'UTF8'],
      ['features', 'LIST'],
    ]);
    const rows = (await parquetReadObjects({ file })) as { path: string; features: number[] }[];
    const objects = readFileSync(lines, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(rows).toEqual(objects);
    expect(rows.map(({ path }) => path)).toEqual(paths);
    const all = { data: Float32Array.from(rows.flatMap((row) => row.features)) };
    expect(relativeError(all, await expected('pooled'))).toBeLessThan(1e-5);
  });

  it('a map in Parquet includes its shape', async () => {
    const path = join(dir, 'map.parquet');
    expect((await features('-o', path, '--stages', 'layer3')).code).toBe(0);
    const [row] = await parquetReadObjects({ file: await asyncBufferFromFile(path) });
    expect(row).toMatchObject({ path: paths[0], dims: [256, 8, 8] });
    expect(row!.features).toHaveLength(256 * 8 * 8);
  });

  it('skips unreadable images, and writes nothing if none is left', async () => {
    const [bad, file] = [join(dir, 'bad.png'), join(dir, 'some.npy')];
    writeFileSync(bad, 'no image');
    const { code, stderr } = await features(bad, '-o', file);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^warning: Image ".*bad\.png" cannot be read: .*\n$/);
    expect(readNpy(file).dims).toEqual([12, 256]);
    const none = await run('features', bad, '--model', model, '-o', join(dir, 'none.npy'));
    expect(none.stderr).toMatch(/\nerror: None of the images can be read, so no file was written\.\n$/);
    expect(existsSync(join(dir, 'none.npy'))).toBe(false);
  });

  it('refuses unknown formats and stages', async () => {
    expectError(await features('-o', 'a.csv'), /"a\.csv" ends in "\.csv", but expected \.npy, \.parquet or \.jsonl\. /);
    expectError(
      await features('-o', 'a.npy', '--stages', 'conv1'),
      /--stages contains "conv1", but expected stem, layer1/,
    );
    expectError(
      await features('-o', 'a.npy', '--stages', 'layer4'),
      /no stage "layer4"\. Choose from stem, layer1, layer2, l/,
    );
  });
});

describe('evaluate', () => {
  it('prints metrics, classes and the matrix, also as JSON and as a page', async () => {
    const data = join(dir, 'data');
    for (const name of classes) {
      mkdirSync(join(data, `class ${classes.indexOf(name)}`), { recursive: true });
      for (const file of readdirSync(join(examples, 'unseen')).filter((file) => file.startsWith(name))) {
        cpSync(join(examples, 'unseen', file), join(data, `class ${classes.indexOf(name)}`, file));
      }
    }
    const [report, csv, lines] = ['report.html', 'rows.csv', 'rows.jsonl'].map((name) => join(dir, name)) as [
      string,
      string,
      string,
    ];
    type Found = Omit<Evaluation, 'confusion'> & { confusion: number[][]; views: string };
    const flip = ['evaluate', data, '--model', model, '--tta', 'flip'];
    const found = await json<Found>(...flip, '--report', report, '-o', csv);
    expect(found).toMatchObject({ images: 12, views: 'flip' });
    expect(found.confusion.map((row) => row.reduce((a, b) => a + b))).toEqual([3, 3, 3, 3]);
    const right = found.confusion.reduce((sum, row, k) => sum + row[k]!, 0);
    expect(found.top1).toBeCloseTo((100 * right) / 12, 10);
    const { stdout } = await run(...flip, '-o', lines);
    expect(stdout).toContain(`\n\nWrote ${lines}.\n`);
    const rows = readFileSync(lines, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(rows.filter(({ correct }) => correct)).toHaveLength(right);
    expect(rows.map((row) => row.correct)).toEqual(rows.map((row) => row.class === row.prediction));
    const table = rows.map(({ path, class: own, prediction, probability, correct }) => {
      const cells = [
        path.includes(',') ? `"${path}"` : path,
        own,
        prediction,
        Number(probability.toPrecision(6)),
        correct,
      ];
      return `${cells.join(',')}\n`;
    });
    expect(readFileSync(csv, 'utf8')).toBe(`path,class,prediction,probability,correct\n${table.join('')}`);
    const [classified] = await json<Classified[]>('classify', rows[0].path, '--model', model, '--tta', 'flip');
    const { label, probability } = classified!.predictions![0]!;
    expect(rows[0]).toMatchObject({ class: 'class 0', prediction: label });
    expect(rows[0].probability).toBeCloseTo(probability, 6);
    expect(stdout).toMatch(/\nclass +images +top-1 \(recall\) +precision +F1\nclass 0 +3 /);
    for (const [k, row] of found.confusion.entries()) {
      expect(stdout).toMatch(new RegExp(`\\n ${k + 1} class ${k} +${row.join(' +')}\\n`));
    }
    const html = readFileSync(report, 'utf8');
    expect(html).toContain(`<dd>${found.top1.toFixed(2)} %</dd>`);
    // Among the worst with its heat, and in its pair.
    expect(html.match(/<img src="data:image\/jpeg;base64,/g)).toHaveLength(3 * (12 - right));
    expect(html).toContain('Logits are averaged over image and mirror image.');
  });

  it('with many classes, lists those that have images', async () => {
    const many = join(dir, 'many.onnx');
    await json('export', 'resnext11_4x16d_w16', '--classes', '101', '--size', '32', '-o', many);
    const data = join(dir, 'two of many');
    for (const name of ['class 7', 'class 70']) cpSync(join(photos, 'b'), join(data, name), { recursive: true });
    const { stdout } = await run('evaluate', data, '--model', many);
    const [, classTable] = stdout.split(/\n\nThe 2 classes with images, least accurate first:\n\n|\n\nMost confused/);
    expect(
      classTable!
        .split('\n')
        .slice(1)
        .map((row) => row.split('  ')[0])
        .sort(),
    ).toEqual(['class 7', 'class 70']);
  });

  it('refuses a file of predictions whose format is unknown', async () => {
    const message = /".*rows\.txt" ends in "\.txt", but expected \.csv or \.jsonl\./;
    expectError(await run('evaluate', photos, '--model', 'no/model', '-o', join(dir, 'rows.txt')), message);
  });

  it('refuses a model without classes', async () => {
    const features = join(dir, 'features.onnx');
    await json('export', 'resnext11_4x16d_w16', '--classes', '0', '--size', '32', '-o', features);
    expectError(
      await run('evaluate', photos, '--model', features),
      /features\.onnx" has no classes\. Use resnext features instead/,
    );
  });

  it('says how to name folders named by WordNet IDs', async () => {
    const data = join(dir, 'synsets');
    cpSync(join(photos, 'a'), join(data, 'n01440764'), { recursive: true });
    expectError(
      await run('evaluate', data, '--model', model),
      /n01440764" is not one of the model's 4 classes .*WordNet IDs\. Rename each to the model's name for its class, such as "class 0"\./,
    );
  });
});
