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

describe('every container gives the tensors that PyTorch wrote, bit for bit', () => {
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

describe('the weights are found in what is around them', () => {
  test('under state_dict, with the words beside it as metadata', async () => {
    for (const file of ['nested-state-dict.pth', 'nested-state-dict-legacy.pth']) {
      const { metadata, notes } = await read(file);
      expect([...metadata]).toEqual([
        ['epoch', '90'],
        ['arch', 'resnext50_32x4d'],
      ]);
      expect(notes).toEqual([
        'The weights are those under "state_dict"; beside it are epoch, arch, best_acc1, args, optimizer.',
      ]);
    }
  });

  test('of averaged weights first, without the counter', async () => {
    const { metadata, notes } = await read('nested-model-ema.pth');
    expect([...metadata]).toEqual([['epoch', '1']]);
    expect(notes).toEqual([
      'The weights are those under "model_ema"; beside it are model, epoch.',
      'Every name began with "module.", which was taken off.',
      'Left out: "n_averaged", which counts averaged models.',
    ]);
  });

  test('under two keys, with both prefixes in either order', async () => {
    expect((await read('nested-twice.pth')).notes).toEqual([
      'The weights are those under "model", "state_dict".',
      'Left out, as no tensors: version.',
      'Every name began with "_orig_mod.module.", which was taken off.',
    ]);
    const { notes } = await read('nested-model-state.pth');
    expect(notes.at(-1)).toBe('Every name began with "module._orig_mod.", which was taken off.');
  });

  test('and a plain dict needs no note', async () => {
    const { notes, metadata } = await read('protocol-2.pth');
    expect({ notes, metadata: [...metadata] }).toEqual({ notes: [], metadata: [] });
    expect([...(await read('plain.safetensors')).metadata]).toEqual([['format', 'pt']]);
  });
});

test('a whole model is refused by the name of its class', async () => {
  await expect(read('whole-model.pth')).rejects.toThrow(
    'whole-model.pth names "torch.nn.modules.container.Sequential", which weights do not need; nothing of it was run.',
  );
});

describe('what is no file of weights is refused by what it seems to be', () => {
  const cases: [string, string | Uint8Array, string][] = [
    ['an empty file', '', 'is empty'],
    ['a web page', '\n<!DOCTYPE html><html>', 'seems to be a web page'],
    ['a Git LFS pointer', 'version https://git-lfs.github.com/spec/v1\noid sha256:', 'is a Git LFS pointer'],
    ['Keras', '\x89HDF\r\n\x1a\n\0\0\0\0', 'seems to be a Keras .h5'],
    ['ONNX', Uint8Array.of(8, 8, 0x12, 7, 0x70, 0x79, 0x74, 0x6f, 0x72, 0x63, 0x68), 'seems to be an ONNX model'],
    ['gzip', '\x1f\x8b\x08\0', 'seems to be compressed by gzip'],
    ['NumPy', '\x93NUMPY\x01\0', 'seems to be one array of NumPy'],
    ['tar', `${'a'.repeat(257)}ustar`, 'seems to be a tar archive'],
    ['Torch7 in ASCII', '4\n1\n3\nV 1\n', 'seems to be a Torch7 file in ASCII'],
    ['an index', '{"weight_map":{}}', 'seems to be JSON'],
    ['noise', 'what is this', 'begins like no file of weights'],
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

  test('says what shards hold beyond it', () => {
    const { tensors, notes } = readIndex({ weight_map: { half: 'a.safetensors', double: 'a.safetensors' } });
    expect([...tensors.keys()]).toEqual(['half', 'double']);
    expect(notes[0]).toMatch(/^Left out: \d+ tensors in the shards that the index does not name\.$/);
  });

  test.each(['../a', '/a', 'b/a', 'C:a', 'b\\a', '..', '.', '', 'a\0'])('is refused with the shard %j', (file) => {
    expect(() => readIndex({ weight_map: { half: file } })).toThrow('expected a file beside it, without a folder');
  });

  test.each([[[]], [{}], [{ weight_map: [] }], [{ weight_map: { half: 3 } }], [null]])('is not %j', (index) => {
    expect(() => readIndex(index)).toThrow('i.json is no index of shards');
  });

  test('is refused where a tensor is not in its file', () => {
    expect(() => readIndex({ weight_map: { other: 'a' } })).toThrow(
      'i.json says that "other" is in a, where it is not',
    );
  });
});

describe('files on disk', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'resnext-weights-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('that are not there are named', async () => {
    await expect(openStateDict(join(folder, 'none.pth'))).rejects.toThrow(UsageError);
    await expect(openStateDict(folder)).rejects.toThrow('holds no weights: expected model.safetensors');
  });

  test('that change while they are read are refused', async () => {
    const path = join(folder, 'changing.safetensors');
    const bytes = goldenBytes('plain.safetensors');
    await writeFile(path, bytes);
    const { tensors } = await openStateDict(path);
    await writeFile(path, bytes.subarray(1));
    expect(() => tensors.get('half')!.read()).toThrow('was changed while it was read');
    expect(fileSource(path).size).toBe(bytes.length - 1);
  });
});
