/** Malicious files: each is refused with a sentence, quickly, and without using more memory than its own size. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { int, ints, pth, raw, storage, streamHeader, tensorDict, text, uint, zip } from '../../test/hostile-files.ts';
import { read, refused } from '../../test/reading.ts';
import { goldenBytes, goldenFiles } from '../../test/weight-files.ts';
import { FormatError } from '../errors.ts';
import { joinBytes } from '../tensor.ts';
import { readStateDict } from './read.ts';
import { bytesSource, type Source } from './source.ts';
import type { StateDict } from './state-dict.ts';

test('the helpers can make valid files', async () => {
  const { tensors } = await read(pth(tensorDict(storage(4), 0, ints(2, 2), ints(1, 2)), raw(...'abcdefghijklmnop')));
  expect(new TextDecoder().decode(tensors.get('w')!.read().data)).toBe('abcdijklefghmnop');
});

test('a tensor in another order is read in pieces, and one that overlaps itself is read whole', async () => {
  const [a, b, c] = [50, 30, 400]; // 600,000 elements, more than two pieces
  const values = Float32Array.from({ length: a * b * c }, (_, i) => i);
  const valuesOf = async (dims: readonly number[], strides: readonly number[]) => {
    const made = tensorDict(storage(values.length), 0, ints(...dims), ints(...strides));
    return (await read(pth(made, new Uint8Array(values.buffer)))).tensors.get('w')!.read().data;
  };
  const turned = Float32Array.from({ length: a * b * c }, (_, i) => {
    const [j, k, l] = [Math.floor(i / (b * c)), Math.floor(i / c) % b, i % c];
    return l * a * b + j * b + k;
  });
  expect(await valuesOf([a, b, c], [b, 1, a * b])).toEqual(turned);
  const overlapping = Float32Array.from({ length: 3000 }, (_, i) => 2 * Math.floor(i / 1000) + (i % 1000));
  expect(await valuesOf([3, 1000], [2, 1])).toEqual(overlapping);
});

test('parts of storages, as in files from before PyTorch 0.4, are read', async () => {
  const header = streamHeader();
  const part = raw('(', text('part'), int(1), int(3), 't');
  const place = raw('(', text('storage'), 'ctorch\nByteStorage\n', text('0'), text('cpu'), int(5), part, 'tQ');
  const keys = raw('\x80\x02]', text('0'), 'a.', uint(5, 4), uint(0, 4), 'abcde');
  const file = (made: Uint8Array) => raw(header, '\x80\x02', made, keys);
  const { tensors } = await read(file(tensorDict(place, 1, ints(2), ints(1))));
  expect(new TextDecoder().decode(tensors.get('w')!.read().data)).toBe('cd');
  await refused(file(tensorDict(place, 2, ints(2), ints(1))), 'its storage has 3 elements');
});

test('an archive of TorchScript without tensors is named', async () => {
  const frozen = raw('c__torch__.nets\nNet\n)\x81}', text('training'), '\x89sb.');
  await refused(
    pth(frozen),
    'weights.pth is a TorchScript archive without named tensors, as torch.jit.freeze leaves it.',
  );
});

describe('a model that was pickled as a whole', () => {
  const tensor = raw('ctorch._utils\n_rebuild_tensor_v2\n(', storage(2), int(0), ints(2), ints(1), '\x89}tR');
  const module = (parameters: Uint8Array, modules: Uint8Array) =>
    raw('cnets\nNet\n)\x81}(', text('_parameters'), parameters, text('_buffers'), '}', text('_modules'), modules, 'ub');

  test('gives its tensors under the names of a state dict', async () => {
    const inner = module(raw('}', text('weight'), tensor, 's'), raw('}'));
    const whole = module(raw('}'), raw('}', text('fc'), inner, 's', text('none'), 'Ns'));
    expect([...(await read(pth(raw(whole, '.')))).tensors.keys()]).toEqual(['fc.weight']);
    expect([...(await read(pth(raw('}', text('model'), whole, 's.')))).tensors.keys()]).toEqual(['fc.weight']);
  });

  test('is refused if it contains itself, or has 2^40 paths', async () => {
    const self = raw(module(raw('}'), raw('}q\0')), 'q\x01h\0', text('again'), 'h\x01s0.');
    await refused(pth(self), 'has a model of more than 40000 parts, or one nested more than 64 levels deep');
    const steps = Array.from({ length: 40 }, () =>
      raw(module(raw('}'), raw('}', text('a'), 'h\0s', text('b'), 'h\0s')), 'q\0'),
    );
    const start = raw(module(raw('}', text('weight'), tensor, 's'), raw('}')), 'q\0');
    await refused(
      pth(raw('}', text('model'), start, ...steps.map((step) => raw('0', step)), 's.')),
      'has a model of more than 40000 parts',
    );
  });
});

describe('an invalid pickle', () => {
  const bomb = (length: number, ...pickle: readonly (string | number)[]) =>
    joinBytes(Array.from({ length }, () => raw(...pickle)));
  const ten = Array.from({ length: 10 }, (_, i) => int(i));
  const pairs = ten.map((key) => raw(key, key, '\x86'));
  const cases: [string, Uint8Array | string, string][] = [
    ['calls a value type', 'ctorch\nfloat32\n)R.', 'calls torch.float32, which is not a function'],
    ['calls a value', 'K\x01)R.', 'calls a value that is not a function'],
    [
      'calls without a tuple',
      'ccollections\nOrderedDict\n]R.',
      'calls collections.OrderedDict without a tuple of arguments',
    ],
    [
      'sets the state of a function',
      raw('ccollections\nOrderedDict\n}', text('__setstate__'), 'Nsb.'),
      'sets the state',
    ],
    ['sets the state of a list', ']}b.', 'sets the state of an object that has none'],
    ['pops from an empty stack', '0.', 'pops a value from an empty stack'],
    ['pops below a mark', 'N(0.', 'pops a value from an empty stack'],
    ['has no mark', 't.', 'pops to a mark that was not set'],
    ['ends with two values', 'NN.', 'ends with more than one value'],
    ['recalls a value that was never stored', 'h\x05.', 'recalls value 5'],
    ['appends to a dict', '}Na.', 'appends to a value that is not a list'],
    ['sets in a list', ']NNs.', 'sets an entry of a value that is not a dict'],
    ['has half an entry', '}(Nu.', 'has a key without a value'],
    ['adds to a list', '](N\x90.', 'adds to a value that is not a set'],
    ['has a string that is not UTF-8', 'X\x01\0\0\0\xff.', 'has a string that is not UTF-8'],
    ['has a string that extends past its end', 'X\xff\xff\xff\x00.', 'is truncated or damaged'],
    ['has a string of 4 GB', 'X\xff\xff\xff\xff.', 'has more than 16777216 bytes of strings'],
    ['has a string of negative length', 'T\xff\xff\xff\xff.', 'has more than 16777216 bytes of strings'],
    ['has a string of 2^63 bytes', '\x8d\0\0\0\0\0\0\0\x80.', 'which is not a valid size'],
    ['has an enormous integer', '\x8b\xff\xff\xff\x7f.', 'has an integer of 2147483647 bytes'],
    ['has an extension', '\x82\x01.', 'has the byte 0x82 instead of an instruction'],
    ['has protocol 9', '\x80\x09.', 'has protocol 9'],
    ['makes an instance of a class', '(S"ls"\nios\nsystem\n.', 'has the byte 0x53'],
    ['has a persistent id of its own', raw(text('0'), 'Q.'), 'refers to data in a way'],
    ['ends early', '}', 'is truncated or damaged'],
    [
      'makes a dict from something other than pairs',
      raw('ccollections\nOrderedDict\n', int(1), '\x85R.'),
      'builds a dict from something other than pairs',
    ],
    ['fills the stack', bomb(200_000, 'N'), 'pushes more than 100000 values'],
    ['fills the memo', bomb(200_000, ']', 0x94, '0'), 'makes more than 100000 objects'],
    ['nests lists', raw(bomb(90_000, ']'), bomb(89_999, 'a'), '.'), 'does not contain a dict'],
    [
      'doubles lists',
      raw(']', 0x94, bomb(200, '(', 'h', 0, 'h', 0, 'l', 'q', 0), '.'),
      'ends with more than one value',
    ],
    [
      'copies a list into sets',
      raw('](', ...ten, 'eq\0cbuiltins\nset\nq\x01', bomb(20_000, 'h\x01h\0\x85R0'), '.'),
      'makes more than 100000 objects',
    ],
    [
      'copies pairs into dicts',
      raw('](', ...pairs, 'eq\0ccollections\nOrderedDict\nq\x01', bomb(20_000, 'h\x01h\0\x85R0'), '.'),
      'makes more than 100000 objects',
    ],
    ['never ends', bomb(300_000, 'N', '0'), 'has more than 500000 instructions'],
    ['contains itself', raw('}q\0', text('model'), 'h\0s', text('net'), 'h\0s.'), 'expected named tensors'],
    ['contains only a list', '].', 'does not contain a dict'],
  ];
  test.each(cases)('%s', async (_, pickle, message) => {
    await refused(pth(pickle), message);
  });

  test('sets prototypes, which are ordinary keys', async () => {
    const pickle = raw('}', text('__proto__'), '}', text('polluted'), '\x88ss.');
    await refused(pth(pickle), 'contains a dict with __proto__');
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});

describe('a tensor outside its data', () => {
  const cases: [string, Uint8Array, string][] = [
    ['that is too large', tensorDict(storage(4), 0, ints(5), ints(1)), 'a tensor of [5] with offset 0'],
    ['that ends past it', tensorDict(storage(4), 3, ints(2), ints(1)), 'lies outside its data'],
    ['because of its strides', tensorDict(storage(4), 0, ints(2, 2), ints(4, 1)), 'lies outside its data'],
    [
      'with more elements than numbers can count',
      tensorDict(storage(4), 0, ints(...Array(40).fill(2 ** 30)), ints(...Array(40).fill(0))),
      'lies outside its data',
    ],
    ['at a negative offset', tensorDict(storage(4), -1, ints(2), ints(1)), 'from something other than'],
    ['with a negative stride', tensorDict(storage(4), 3, ints(2), ints(-1)), 'not equally many non-negative integers'],
    ['with missing strides', tensorDict(storage(4), 0, ints(2), ints()), 'not equally many non-negative integers'],
    [
      'with sizes that are strings',
      tensorDict(storage(4), 0, raw(text('2'), '\x85'), ints(1)),
      'not equally many non-negative integers',
    ],
    ['without a storage', tensorDict(int(4), 0, ints(2), ints(1)), 'from something other than'],
    [
      'whose storage is too short',
      tensorDict(storage(5), 0, ints(2), ints(1)),
      'storage "0" needs 20 bytes, but found 16',
    ],
    [
      'whose storage is missing',
      tensorDict(storage(4, 'FloatStorage', '../1'), 0, ints(2), ints(1)),
      'but found nothing',
    ],
    ['that repeats it a million times', tensorDict(storage(4), 0, ints(1e6, 4), ints(0, 1)), 'they repeat its data'],
  ];
  test.each(cases)('%s, is refused', (_, pickle, message) => refused(pth(pickle), message));

  test('or a thousand tensors that each stretch over all of it, are refused', async () => {
    const one = raw('ctorch._utils\n_rebuild_tensor_v2\n(', storage(16384), int(0), ints(2), ints(16383), '\x89}tRq\0');
    const others = Array.from({ length: 1000 }, (_, i) => raw(text(`w${i}`), 'h\0s'));
    await refused(pth(raw('}', text('w'), one, 's', ...others, '.'), new Uint8Array(65536)), 'stretch over');
  });

  test('and data that does not match its checksum are refused', async () => {
    const bytes = goldenBytes('protocol-2.pth');
    const at = String.fromCharCode(...bytes).indexOf('data/0') + 100;
    bytes[at]! ^= 4;
    const { tensors } = await read(bytes);
    expect(() => tensors.get('conv1.weight')!.read()).toThrow('does not match its checksum');
  });
});

test('names from a file are escaped and shortened in messages', async () => {
  const header = (name: string) => {
    const entry = { dtype: 'F32', shape: [1], data_offsets: [0, 8] };
    const json = new TextEncoder().encode(JSON.stringify({ [name]: entry }));
    return raw(uint(json.length, 4), uint(0, 4), json, new Uint8Array(8));
  };
  await refused(header('w\x1b[2J\x9b'), 'tensor "w\\u001b[2J\\u009b": F32 [1] takes 4 bytes');
  const error: unknown = await read(header('w'.repeat(1e6))).catch((reason: unknown) => reason);
  expect(String(error)).toMatch(/^FormatError: weights\.pth: tensor "w{900,1000} … w+": F32 \[1\] takes 4 bytes.*\.$/);
  expect(String(error).length).toBeLessThan(2100);
});

describe('a zip archive', () => {
  const data = new Uint8Array(1 << 20);
  const pickle = { name: 'a/data.pkl', data: raw('\x80\x02}.') };
  const cases: [string, Uint8Array, string][] = [
    ['with a path to its parent folder', zip({ name: '../data.pkl', data }), '"../data.pkl", which leads out'],
    ['with a path that leaves it from within', zip(pickle, { name: 'a/data/../../0', data }), 'which leads out'],
    ['with an absolute name', zip(pickle, { name: '/etc/passwd', data }), 'which leads out'],
    ['with a drive', zip(pickle, { name: 'C:/data', data }), 'which leads out'],
    ['with a backslash', zip(pickle, { name: 'a\\..\\data', data }), 'which leads out'],
    ['with a duplicate name', zip(pickle, pickle), 'twice'],
    ['that unpacks to a lot', zip({ name: 'a.pth', data, deflate: true }), 'but weights never compress that well'],
    [
      'that lies about its size',
      zip({ name: 'a.pth', data, deflate: true, size: 64 }),
      'unpacks to more than the 64 bytes',
    ],
    [
      'that unpacks to less',
      zip({ name: 'a.pth', data: data.subarray(0, 9), deflate: true, size: 64 }),
      'unpacks to less than the 64 bytes',
    ],
    [
      'with data past its end',
      zip(pickle, { name: 'a/data/0', data: data.subarray(0, 4), size: 1 << 30 }),
      'overlap or extend past its end',
    ],
    ['with overlapping entries', zip(pickle, { ...pickle, name: 'a/data/0', offset: 0 }), 'is not where the archive'],
    ['with a modified pickle', zip({ ...pickle, checksum: 5 }), 'data.pkl does not match its checksum'],
    ['without entries', zip(), 'with no weights file, but expected one'],
    ['of other files', zip({ name: 'a.txt', data }), 'with no weights file'],
    ['of two files', zip({ name: 'a.pth', data }, { name: 'b.pth', data }), 'with 2 weights files'],
    [
      'in a zip archive in a zip archive',
      zip({ name: 'a.pth', data: zip({ name: 'a.pth', data: zip() }) }),
      'inside a zip archive',
    ],
    ['with another byte order', zip(pickle, { name: 'a/byteorder', data: raw('big') }), 'byte order "big"'],
  ];
  test.each(cases)('%s', (_, bytes, message) => refused(bytes, message));
});

describe('memory', () => {
  const length = 1 << 24;
  const pickle = tensorDict(storage(length / 4), 0, ints(length / 4), ints(1));
  const file = pth(pickle, new Uint8Array(length));

  /** Bytes of arrays that are left once something has run. */
  async function arraysOf(source: Source, use: (opened: StateDict) => unknown): Promise<number> {
    const before = process.memoryUsage().arrayBuffers;
    const kept = use(await readStateDict(source, 'weights.pth'));
    const after = process.memoryUsage().arrayBuffers;
    expect(kept).toBeDefined();
    return after - before;
  }

  test('is that of the tensors alone, when they are read', async () => {
    const source = bytesSource(file);
    expect(await arraysOf(source, (opened) => opened)).toBeLessThan(length / 8);
    expect(await arraysOf(source, ({ tensors }) => tensors.get('w')!.read())).toBeLessThan(1.2 * length);
  });

  test('does not depend on what a file claims', async () => {
    const claims: Source = { size: 1e12, fill: () => 0 };
    await expect(readStateDict(claims, 'w')).rejects.toThrow(FormatError);
    const t7 = raw(
      uint(4, 4),
      uint(1, 4),
      uint(3, 4),
      'V 1',
      uint(18, 4),
      'torch.FloatStorage',
      uint(0, 4),
      uint(2 ** 20, 4),
    );
    await refused(t7, 'is truncated or damaged');
  });
});

describe('a Torch7 file', () => {
  const word = (value: string) => raw(uint(value.length, 4), value);
  const instance = (index: number, kind: string) => raw(uint(4, 4), uint(index, 4), word('V 1'), word(kind));
  const table = (index: number, count: number) => raw(uint(3, 4), uint(index, 4), uint(count, 4));
  const key = (value: string) => raw(uint(2, 4), word(value));
  const nested = Array.from({ length: 400 }, (_, i) => raw(table(i + 1, 1), key('modules')));
  const back = (index: number) => raw(uint(3, 4), uint(index, 4));
  const long = (value: number) => raw(uint(value, 4), uint(0, 4));
  /** Each table contains the next one twice: 2^60 paths to the last. */
  const doubled = Array.from({ length: 60 }, (_, i) => {
    const children = raw(table(3 * i + 2, 2), uint(1, 4), raw('\0\0\0\0\0\0\xf0\x3f'));
    return raw(table(3 * i + 1, 1), key('modules'), children);
  });
  const second = Array.from({ length: 60 }, (_, i) => {
    return raw(uint(1, 4), raw('\0\0\0\0\0\0\0\x40'), uint(3, 4), uint(3 * (60 - i) + 1, 4));
  });
  const number = (value: number) => raw(uint(1, 4), new Uint8Array(Float64Array.of(value).buffer));
  const one = number(1);
  /** The first table contains modules, each of which has the previous one as its child. */
  const chain = Array.from({ length: 20_000 }, (_, i) =>
    raw(one, table(2 * i + 2, 1), key('modules'), table(2 * i + 3, 1), one, i === 0 ? uint(0, 4) : back(2 * i)),
  );
  /** 20,000 modules that share the same 50,000 children. */
  const children = raw(table(2, 50_000), ...Array.from({ length: 50_000 }, (_, i) => raw(number(i + 1), uint(0, 4))));
  const parents = Array.from({ length: 20_000 }, (_, i) =>
    raw(number(i + 1), table(i + 4, 1), key('modules'), back(2)),
  );
  const cases: [string, Uint8Array, string][] = [
    [
      'whose modules share their children',
      raw(table(1, 2), key('a'), children, key('modules'), table(3, 20_000), ...parents),
      'without a network',
    ],
    [
      'whose modules contain each other',
      raw(table(1, 20_001), ...chain, key('modules'), table(50_000, 1), one, back(40_000)),
      'has modules nested more than 300 levels deep',
    ],
    [
      'that claims a storage of 8 EB',
      raw(instance(1, 'torch.FloatStorage'), uint(0, 4), uint(2 ** 20, 4)),
      'truncated',
    ],
    [
      'that claims a negative storage',
      raw(instance(1, 'torch.FloatStorage'), long(0).fill(255)),
      'which is not a valid size',
    ],
    ['that claims many axes', raw(instance(1, 'torch.FloatTensor'), uint(65, 4)), 'has a number of axes of 65'],
    ['with an unknown type', raw(table(1, 1), uint(9, 4)), 'has an object of type 9'],
    ['with an unknown tensor class', instance(1, 'torch.StringTensor'), 'has a torch.StringTensor'],
    [
      'with a tensor without a storage',
      raw(instance(1, 'torch.FloatTensor'), uint(1, 4), long(2), long(1), long(1), uint(0, 4)),
      'lies outside its data',
    ],
    ['nested too deeply', raw(...nested), 'is nested too deeply'],
    ['that contains itself', raw(table(1, 1), key('modules'), uint(3, 4), uint(1, 4)), 'without a network'],
    ['with 2^60 paths through it', raw(...doubled, table(181, 0), ...second), 'without a network'],
    ['with an enormous table', table(1, 2 ** 31 - 1), 'has a table of 2147483647'],
  ];
  test.each(cases)('%s', (_, bytes, message) => refused(bytes, message));
});

describe('every golden file, when damaged, is either read or refused with a sentence', () => {
  const files = goldenFiles.map(([file]) => file).filter((file) => !file.endsWith('.json'));

  /** Reads everything in a file. Only a FormatError may be thrown. */
  async function survives(bytes: Uint8Array): Promise<void> {
    try {
      const { tensors } = await read(bytes);
      for (const stored of tensors.values()) stored.read();
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
    }
  }

  test.each(files)('%s truncated anywhere', async (file) => {
    const bytes = goldenBytes(file);
    for (let length = 0; length < bytes.length; length += 37) {
      const error = await read(bytes.subarray(0, length)).catch((reason: unknown) => reason);
      expect(error, `${length} bytes`).toBeInstanceOf(FormatError);
    }
  });

  test.each(files)('%s with bytes changed', async (file) => {
    const bytes = goldenBytes(file);
    const change = fc.tuple(fc.nat(bytes.length - 1), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 6 }), async (changes) => {
        const damaged = Uint8Array.from(bytes);
        for (const [at, value] of changes) damaged[at] = value;
        await survives(damaged);
      }),
      { numRuns: 200, interruptAfterTimeLimit: 20_000 },
    );
  });
});
