/** Converting, verifying and optimizing models, with the command line and the library. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { convert, initialWeights, loadModel, resnext, saveModel, variant } from 'resnext';
import { preprocessingFor } from 'resnext/data';
import { Builder, cost, readOnnxFile, tensor, writeOnnxFile } from 'resnext/graph';
import { readSafetensorsFile } from 'resnext/weights';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { json, run } from './command.ts';
import { send, serve } from './hub-server.ts';

let dir: string;
let model: string;
const name = 'resnext11_4x16d_w16';
const fixtures = fileURLToPath(new URL('fixtures/emulated', import.meta.url));

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-forms-'));
  model = join(dir, 'model');
  const { config } = resnext({ ...variant(name), inputSize: 16, classes: 3 });
  const preprocessing = preprocessingFor({ images: 'small', size: 16 });
  const description = { variant: name, config, classes: ['a', 'b', 'c'], preprocessing, metrics: {} };
  await saveModel(model, description, initialWeights(resnext(config), 5));
});

afterAll(() => rmSync(dir, { recursive: true }));

const bytes = (file: string): Buffer => readFileSync(join(dir, file));
const convertTo = (input: string, output: string, form: string) =>
  json('convert', join(dir, input), join(dir, output), '--form', form);

describe('convert', () => {
  it.each([
    ['A', 'C'],
    ['B', 'A'],
    ['C', 'B'],
  ])('a safetensors file in form %s, converted to form %s and back, is byte-identical', async (first, second) => {
    await convertTo('model', 'first.safetensors', first);
    await convertTo('first.safetensors', 'second.safetensors', second);
    await convertTo('second.safetensors', 'again.safetensors', first);
    expect(bytes('again.safetensors').equals(bytes('first.safetensors'))).toBe(true);
  });

  it('a safetensors file in form A has a tensor per branch', async () => {
    await convertTo('model', 'a.safetensors', 'A');
    const { tensors } = await readSafetensorsFile(join(dir, 'a.safetensors'));
    expect(tensors.get('layer1.0.branches.3.conv2.weight')!.dims).toEqual([4, 4, 3, 3]);
    expect(tensors.has('layer1.0.conv2.weight')).toBe(false);
  });

  it('ONNX files keep bit-identical weights', async () => {
    await json('export', model, '-o', join(dir, 'c.onnx'));
    await convertTo('c.onnx', 'a.onnx', 'A');
    await convertTo('a.onnx', 'back.onnx', 'C');
    expect((await loadModel(join(dir, 'a.onnx'))).description.config.form).toBe('A');
    const [before, after] = [await readOnnxFile(join(dir, 'c.onnx')), await readOnnxFile(join(dir, 'back.onnx'))];
    const contents = (graph: typeof before) =>
      new Map([...graph.initializers].map((value) => [value.name, value.tensor]));
    expect(contents(after)).toEqual(contents(before));
    expect(cost(await readOnnxFile(join(dir, 'a.onnx'))).nodes).toBeGreaterThan(cost(after).nodes);
  });

  it('an ONNX file is converted from its URL', async () => {
    const env = {
      HF_HOME: join(dir, 'hub'),
      TORCH_HOME: join(dir, 'torch'),
      NO_PROXY: '127.0.0.1',
      HF_HUB_OFFLINE: '',
    };
    for (const [variable, value] of Object.entries(env)) vi.stubEnv(variable, value);
    await json('export', model, '-o', join(dir, 'served.onnx'));
    const server = await serve((request, response) => send(request, response, bytes('served.onnx')));
    const url = `${server.url}/model.onnx`;
    const target = join(dir, 'fetched.onnx');
    expect(await json('convert', url, target, '--form', 'A')).toMatchObject({ input: url, output: target, form: 'A' });
    expect((await loadModel(target)).description.config.form).toBe('A');
    server.close();
    vi.unstubAllEnvs();
  });

  it('the library converts a loaded model', async () => {
    const converted = convert(await loadModel(model), 'A');
    expect(converted.description.config.form).toBe('A');
    expect([...converted.graph.nodes].filter(({ op }) => op === 'Sum')).toHaveLength(3);
  });

  it('refuses an unsupported target', async () => {
    const { code, stderr } = await run('convert', model, join(dir, 'model.pth'), '--form', 'A');
    expect(code).toBe(1);
    expect(stderr).toContain('ends in ".pth", but expected .onnx or .safetensors.');
  });
});

describe('verify', () => {
  it('verifies a variant and writes the report', async () => {
    const report = join(dir, 'report.html');
    const proof = await json<{ equivalent: boolean; forms: Record<string, number>[] }>(
      'verify',
      name,
      '--report',
      report,
    );
    expect(proof.equivalent).toBe(true);
    for (const form of proof.forms) {
      expect(form.output64).toBeLessThan(1e-10);
      expect(form.output32).toBeLessThan(1e-4);
      expect(form.gradient64).toBeLessThan(1e-8);
      expect(form.statistics64).toBeLessThan(1e-10);
      expect([form.parameters, form.macs]).toEqual([proof.forms[0]!.parameters, proof.forms[0]!.macs]);
    }
    const html = readFileSync(report, 'utf8');
    expect(html.match(/<svg/g)).toHaveLength(3);
    expect(html).toContain('<td>conv2.weight</td>');
  });

  it('verifies an exported file with its weights, and any other file as far as possible', async () => {
    interface Proof {
      readonly equivalent: boolean;
      readonly forms: readonly {
        readonly output32: number;
        readonly gradient64?: number;
        readonly parameters: number;
      }[];
    }
    await json('export', model, '-o', join(dir, 'own.onnx'), '--form', 'B');
    const own = await json<Proof>('verify', join(dir, 'own.onnx'));
    expect(own.equivalent).toBe(true);
    expect(own.forms[0]!.gradient64).toBeLessThan(1e-8);
    const theirs = join(fixtures, 'split-concat.onnx');
    const proof = await json<Proof>('verify', theirs);
    expect(proof.equivalent).toBe(true);
    for (const { output32, gradient64, parameters } of proof.forms) {
      expect(output32).toBeLessThan(1e-5);
      expect(gradient64).toBeUndefined();
      expect(parameters).toBe(proof.forms[0]!.parameters);
    }
    const { code, stderr } = await run('verify', theirs, '--report', join(dir, 'theirs.html'));
    expect([code, stderr]).toEqual([1, expect.stringContaining('was made by another program')]);
  });

  it('verifies a saved model, as a table', async () => {
    const { code, stdout } = await run('verify', model);
    expect(code).toBe(0);
    expect(stdout).toMatch(/: equivalent\n[\s\S]*form A +form B +form C/);
  });
});

describe('optimize', () => {
  it('leaves a file without known patterns byte-identical', async () => {
    const b = new Builder('plain');
    const x = b.input('x', ['N', 3, 8, 8]);
    const weight = b.parameter('w', [4, 3, 3, 3], tensor('float32', [4, 3, 3, 3]));
    b.output(b.op('Relu', [b.op('Conv', [x, weight])]), 'y');
    await writeOnnxFile(join(dir, 'plain.onnx'), b.graph);
    await json('optimize', join(dir, 'plain.onnx'), '-o', join(dir, 'same.onnx'));
    expect(bytes('same.onnx').equals(bytes('plain.onnx'))).toBe(true);
  });

  it('turns branches into groups, folds normalization, and prints the measurements', async () => {
    await json('export', model, '-o', join(dir, 'a.onnx'), '--form', 'A');
    const result = await json<{ difference: number; changes: unknown[]; nodesBefore: number; nodesAfter: number }>(
      ...['optimize', join(dir, 'a.onnx'), '-o', join(dir, 'fast.onnx')],
    );
    expect(result.difference).toBeLessThan(1e-5);
    const graph = await readOnnxFile(join(dir, 'fast.onnx'));
    const groups = [...graph.nodes].filter((node) => Number(node.attributes.get('group')?.value) === 4);
    expect(groups).toHaveLength(3);
    expect([...graph.nodes].filter(({ op }) => op === 'BatchNormalization')).toHaveLength(0);
    expect(result.nodesBefore).toBeGreaterThan(result.nodesAfter);
  });

  it('writes nothing if the result differs by more than the tolerance', async () => {
    await json('export', model, '-o', join(dir, 'a.onnx'), '--form', 'A');
    writeFileSync(join(dir, 'kept.onnx'), 'kept');
    const { code, stderr } = await run(
      ...['optimize', join(dir, 'a.onnx'), '-o', join(dir, 'kept.onnx'), '--tolerance', '0'],
    );
    expect(code).toBe(1);
    expect(stderr.replaceAll(/\s+/g, ' ')).toMatch(
      /differ from .* more than the tolerance of 0, so nothing was written\. To accept that, set --tolerance\./,
    );
    expect(bytes('kept.onnx').toString()).toBe('kept');
    const folder = join(dir, 'no-folder');
    expect((await run('optimize', join(dir, 'a.onnx'), '-o', join(folder, 'b.onnx'), '--tolerance', '0')).code).toBe(1);
    expect(existsSync(folder)).toBe(false);
  });
});
