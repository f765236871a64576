import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { create, toBinary } from '@bufbuild/protobuf';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FormatError, UsageError } from '../errors.ts';
import { initialWeights } from '../model/init.ts';
import { resnext } from '../model/resnext.ts';
import { setWeights } from '../model/weights.ts';
import { optimizeGraph } from '../rewrite/convert.ts';
import { lazyTensor, type Tensor } from '../tensor.ts';
import { readOnnxFile, writeOnnxFile } from './files.ts';
import { ModelProtoSchema } from './generated/onnx_pb.ts';
import { readOnnx } from './read.ts';
import { writeOnnx } from './write.ts';

const fixtures = fileURLToPath(new URL('../../test/fixtures/onnx/', import.meta.url));
let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'resnext-onnx-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('a model on disk', () => {
  test('is read with the data beside it, and written as one file', async () => {
    const graph = await readOnnxFile(join(fixtures, 'external.onnx'));
    expect(Array.from(graph.initializers, ({ tensor }) => tensor?.dims)).toEqual([[4, 3, 1, 1], [4]]);
    await writeOnnxFile(join(folder, 'm.onnx'), graph);
    expect(await readdir(folder)).toEqual(['m.onnx']);
    expect(new Uint8Array(await readFile(join(folder, 'm.onnx')))).toEqual(writeOnnx(graph));
  });

  test('is written with lazy tensors read one at a time, once each, even through a folded normalization', async () => {
    const model = resnext({ depths: [1, 1], cardinality: 2, baseWidth: 32, classes: 10, inputSize: 32 });
    const eager = initialWeights(model, 1);
    const reads = new Map<string, number>();
    const lazy = [...eager].map(([name, { dims, data }]): [string, Tensor] => {
      const make = () => {
        reads.set(name, (reads.get(name) ?? 0) + 1);
        return data.slice() as Float32Array;
      };
      return [name, lazyTensor('float32', dims, make)];
    });
    const files = ['eager.onnx', 'lazy.onnx'].map((name) => join(folder, name));
    for (const [i, weights] of [eager, new Map(lazy)].entries()) {
      setWeights(model, weights);
      await writeOnnxFile(files[i]!, optimizeGraph(model.graph).graph, { externalAbove: 0 });
    }
    const [expected, actual] = await Promise.all(files.map((file) => readFile(`${file}.data`)));
    expect(actual!.equals(expected!)).toBe(true);
    expect([...reads.keys()].sort()).toEqual([...eager.keys()].sort());
    expect(Math.max(...reads.values())).toBe(1);
  });

  test('is written as two files if its tensors are large, and runs on ONNX Runtime', async () => {
    const graph = await readOnnxFile(join(fixtures, 'external.onnx'));
    const weight = [...graph.initializers][0]!;
    const path = join(folder, 'm.onnx');
    await writeOnnxFile(path, graph, { externalAbove: 10 });
    expect(await readdir(folder)).toEqual(['m.onnx']); // no tensor has 1024 bytes
    const wide = Array.from({ length: 100 }, () => [...weight.tensor!.data] as number[]).flat();
    weight.tensor = { dtype: 'float32', dims: [400, 3, 1, 1], data: Float32Array.from(wide) };
    const bias = [...graph.initializers][1]!;
    bias.tensor = { dtype: 'float32', dims: [400], data: new Float32Array(400) };
    for (const { dims } of graph.outputs) expect(dims).toEqual(['N', 4, 2, 2]);
    graph.outputs[0]!.dims = ['N', 400, 2, 2];
    await writeOnnxFile(path, graph, { externalAbove: 10 });
    expect((await readdir(folder)).sort()).toEqual(['m.onnx', 'm.onnx.data']);
    const session = await InferenceSession.create(path);
    const { y } = await session.run({ x: new OrtTensor('float32', new Float32Array(12).fill(1), [1, 3, 2, 2]) });
    const expected = Math.fround(wide.slice(0, 3).reduce((sum, value) => sum + value, 0));
    expect(Number(y?.data[0])).toBeCloseTo(expected, 5);
    expect(writeOnnx(await readOnnxFile(path))).toEqual(writeOnnx(graph));
  });

  test('that does not exist or cannot be written is reported', async () => {
    await expect(readOnnxFile(join(folder, 'none.onnx'))).rejects.toThrow('none.onnx": no such file or folder');
    const graph = await readOnnxFile(join(fixtures, 'exported.onnx'));
    await mkdir(join(folder, 'm.onnx'));
    await expect(writeOnnxFile(join(folder, 'm.onnx'), graph)).rejects.toThrow(UsageError);
    expect(await readdir(folder)).toEqual(['m.onnx']);
    await writeFile(join(folder, 'file'), '');
    await expect(writeOnnxFile(join(folder, 'file', 'm.onnx'), graph)).rejects.toThrow(UsageError);
  });

  test('that is truncated is rejected by name', async () => {
    const path = join(folder, 'cut.onnx');
    await writeFile(path, (await readFile(join(fixtures, 'exported.onnx'))).subarray(0, 500));
    await expect(readOnnxFile(path)).rejects.toThrow(`${path}: not an ONNX model, or a truncated one (500 bytes)`);
  });
});

describe('external data', () => {
  const refer = async (location: string, length = 4) => {
    const path = join(folder, 'model', 'm.onnx');
    await mkdir(join(folder, 'model', 'sub'), { recursive: true });
    const entries = Object.entries({ location, length: String(length) });
    const externalData = entries.map(([key, value]) => ({ key, value }));
    const initializer = [
      { name: 'w', dims: [BigInt(length / 4)], dataType: 1, dataLocation: 1 as const, externalData },
    ];
    await writeFile(path, toBinary(ModelProtoSchema, create(ModelProtoSchema, { graph: { initializer } })));
    return path;
  };

  test('may be in a subfolder', async () => {
    const path = await refer('sub/w.bin');
    await writeFile(join(folder, 'model', 'sub', 'w.bin'), new Uint8Array(4));
    const [w] = (await readOnnxFile(path)).initializers;
    expect(w?.tensor?.data).toEqual(Float32Array.of(0));
  });

  test.each(['../w.bin', 'sub/../../w.bin', '/etc/hostname', '.', '..', 'sub\\..\\w.bin'])(
    '%s is rejected',
    async (location) => {
      await writeFile(join(folder, 'w.bin'), new Uint8Array(4));
      await expect(readOnnxFile(await refer(location))).rejects.toThrow("outside the model's folder and was not read");
    },
  );

  test('behind a link out of the folder is rejected', async () => {
    const path = await refer('w.bin');
    await writeFile(join(folder, 'secret'), new Uint8Array(4));
    await symlink(join(folder, 'secret'), join(folder, 'model', 'w.bin'));
    await expect(readOnnxFile(path)).rejects.toThrow("outside the model's folder");
  });

  test('that is missing or too short is rejected', async () => {
    const path = await refer('w.bin', 8);
    await expect(readOnnxFile(path)).rejects.toThrow('its data file "w.bin" is missing. Put it beside the model');
    await writeFile(join(folder, 'model', 'w.bin'), new Uint8Array(4));
    await expect(readOnnxFile(path)).rejects.toThrow(FormatError);
    await expect(readOnnxFile(path)).rejects.toThrow('tensor "w" needs 8 bytes, but "w.bin" has 4 from offset 0');
  });

  test('that was never read cannot be written elsewhere', async () => {
    const graph = readOnnx(await readFile(join(fixtures, 'external.onnx')));
    await expect(writeOnnxFile(join(folder, 'm.onnx'), graph)).rejects.toThrow('is in a file that was not read');
    expect(await readdir(folder)).toEqual([]);
  });

  test('is read if the path of the model contains a link', async () => {
    await symlink(fixtures, join(folder, 'link'));
    await expect(readOnnxFile(join(folder, 'link', 'external.onnx'))).resolves.toBeDefined();
    await copyFile(join(fixtures, 'external.onnx'), join(folder, 'm.onnx'));
    await expect(readOnnxFile(join(folder, 'm.onnx'))).rejects.toThrow('"external.bin" is missing');
  });
});
