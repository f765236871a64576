import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { contents, goldenBytes, goldenFiles, goldenPath } from '../../test/weight-files.ts';
import { FormatError, UsageError } from '../errors.ts';
import { fileSource, openStateDict } from './files.ts';
import { readStateDict } from './read.ts';
import { readSharded } from './sharded.ts';
import { bytesSource } from './source.ts';

const read = (file: string) => readStateDict(bytesSource(goldenBytes(file)), file);

describe('every container yields the tensors that PyTorch wrote, bit for bit', () => {
  test.each(goldenFiles)('%s, from its path', async (file, tensors) => {
    expect(contents(await openStateDict(goldenPath(file)))).toEqual(tensors);
  });

  test.each(goldenFiles.filter(([file]) => !file.endsWith('.json')))('%s, from memory', async (file, tensors) => {
    expect(contents(await read(file))).toEqual(tensors);
  });

  test('the folder of sharded safetensors', async () => {
    const [, tensors] = goldenFiles.find(([file]) => file.startsWith('sharded/'))!;
    expect(contents(await openStateDict(goldenPath('sharded')))).toEqual(tensors);
  });
});

describe('the weights are found among other contents', () => {
  test('under state_dict, with neighboring strings and numbers as metadata', async () => {
    for (const file of ['nested-state-dict.pth', 'nested-state-dict-legacy.pth']) {
      const { metadata, notes } = await read(file);
      expect([...metadata]).toEqual([
        ['epoch', '90'],
        ['arch', 'resnext50_32x4d'],
      ]);
      expect(notes).toEqual([
        'Using the weights under "state_dict"; the file also contains epoch, arch, best_acc1, args, optimizer.',
        'Left out what weights do not need, without executing it: numpy.core.multiarray.scalar, numpy.dtype, _codecs.encode, argparse.Namespace.',
      ]);
    }
  });

  test('averaged weights are preferred, and their counter is skipped', async () => {
    const { metadata, notes } = await read('nested-model-ema.pth');
    expect([...metadata]).toEqual([['epoch', '1']]);
    expect(notes).toEqual([
      'Using the weights under "model_ema"; the file also contains model, epoch.',
      'Stripped the prefix "module." from every name.',
      'Skipped "n_averaged", which counts averaged models.',
    ]);
  });

  test('under two nested keys, with both prefixes in either order', async () => {
    expect((await read('nested-twice.pth')).notes).toEqual([
      'Using the weights under "model", "state_dict".',
      'Skipped entries that are not tensors: version.',
      'Stripped the prefix "_orig_mod.module." from every name.',
    ]);
    const { notes } = await read('nested-model-state.pth');
    expect(notes.at(-1)).toBe('Stripped the prefix "module._orig_mod." from every name.');
  });

  test('a plain dict produces no notes', async () => {
    const { notes, metadata } = await read('protocol-2.pth');
    expect({ notes, metadata: [...metadata] }).toEqual({ notes: [], metadata: [] });
    expect([...(await read('plain.safetensors')).metadata]).toEqual([['format', 'pt']]);
  });
});

test('a model that was pickled as a whole gives its tensors', async () => {
  const { tensors, notes } = await read('whole-model.pth');
  expect([...tensors.keys()]).toEqual(['0.weight', '0.bias']);
  expect(notes).toEqual([
    'Read the tensors of a model that was pickled as a whole (torch.nn.modules.container.Sequential).',
  ]);
});

describe('a file without weights is refused, naming what it appears to be', () => {
  const cases: [string, string | Uint8Array, string][] = [
    ['empty file', '', 'is empty'],
    ['web page', '\n<!DOCTYPE html><html>', 'appears to be a web page'],
    ['Git LFS pointer', 'version https://git-lfs.github.com/spec/v1\noid sha256:', 'is a Git LFS pointer'],
    ['Keras', '\x89HDF\r\n\x1a\n\0\0\0\0', 'appears to be a Keras .h5 file'],
    ['ONNX', Uint8Array.of(8, 8, 0x12, 7, 0x70, 0x79, 0x74, 0x6f, 0x72, 0x63, 0x68), 'appears to be an ONNX model'],
    ['gzip', '\x1f\x8b\x08\0', 'appears to be compressed with gzip'],
    ['NumPy', '\x93NUMPY\x01\0', 'appears to be a NumPy array'],
    ['tar', `${'a'.repeat(257)}ustar`, 'appears to be a tar archive'],
    ['Torch7 in ASCII', '4\n1\n3\nV 1\n', 'appears to be a Torch7 file in ASCII'],
    ['index of shards', '{"weight_map":{}}', 'appears to be JSON'],
    ['noise', 'what is this', 'is not in a known format'],
  ];
  test.each(cases)('%s', async (_, given, message) => {
    const bytes = typeof given === 'string' ? Uint8Array.from(given, (char) => char.charCodeAt(0)) : given;
    const attempt = readStateDict(bytesSource(bytes), 'weights.pth');
    await expect(attempt).rejects.toThrow(FormatError);
    await expect(attempt).rejects.toThrow(`weights.pth ${message}`);
  });
});

describe('an index of shards', () => {
  const shard = bytesSource(goldenBytes('plain.safetensors'));
  const readIndex = (index: unknown) =>
    readSharded(bytesSource(new TextEncoder().encode(JSON.stringify(index))), 'i.json', () => shard);

  test('notes tensors in the shards that it does not list', async () => {
    const { tensors, notes } = await readIndex({ weight_map: { half: 'a.safetensors', double: 'a.safetensors' } });
    expect([...tensors.keys()]).toEqual(['half', 'double']);
    expect(notes[0]).toMatch(/^Skipped \d+ tensors in the shards that the index does not list\.$/);
  });

  test.each(['../a', '/a', 'b/a', 'C:a', 'b\\a', '..', '.', '', 'a\0'])(
    'is refused if a shard is named %j',
    async (file) => {
      await expect(readIndex({ weight_map: { half: file } })).rejects.toThrow(
        'but expected the name of a file in the same folder',
      );
    },
  );

  test.each([[[]], [{}], [{ weight_map: [] }], [{ weight_map: { half: 3 } }], [null]])(
    'cannot be %j',
    async (index) => {
      await expect(readIndex(index)).rejects.toThrow('i.json is not an index of shards');
    },
  );

  test('is refused if a tensor is missing from its shard', async () => {
    await expect(readIndex({ weight_map: { other: 'a' } })).rejects.toThrow(
      'i.json lists "other" in a, but that file does not contain it',
    );
  });
});

describe('files on disk', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'resnext-weights-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('are named in the error if they do not exist', async () => {
    await expect(openStateDict(join(folder, 'none.pth'))).rejects.toThrow(UsageError);
    await expect(openStateDict(folder)).rejects.toThrow('has no weights, but expected one of model.safetensors');
  });

  test('are refused if they change while being read', async () => {
    const path = join(folder, 'changing.safetensors');
    const bytes = goldenBytes('plain.safetensors');
    await writeFile(path, bytes);
    const { tensors } = await openStateDict(path);
    await writeFile(path, bytes.subarray(1));
    expect(() => tensors.get('half')!.read()).toThrow('changed while it was being read');
    expect(fileSource(path).size).toBe(bytes.length - 1);
  });
});
