/** Pickles that refer to names that weights do not need: nothing behind such a name is run, and none makes a tensor. */
import { describe, expect, test } from 'vitest';
import { int, ints, pth, raw, storage, streamHeader, tensorDict, text } from '../../test/hostile-files.ts';
import { read, refused } from '../../test/reading.ts';

describe('a pickle that refers to a name that weights do not need', () => {
  const cases: [string, Uint8Array, string][] = [
    ['os.system by GLOBAL', raw(`cposix\nsystem\n`, text('true'), '\x85R.'), '"posix.system"'],
    ['os.system by STACK_GLOBAL', raw(text('os'), text('system'), '\x93', text('true'), '\x85R.'), '"os.system"'],
    ['eval', raw('cbuiltins\neval\n', text('1'), '\x85R.'), '"builtins.eval"'],
    ['eval in Python 2', raw('c__builtin__\neval\n', text('1'), '\x85R.'), '"__builtin__.eval"'],
    ['getattr', raw('cbuiltins\ngetattr\n.'), '"builtins.getattr"'],
    [
      'a name that is similar to an allowed one',
      raw('ctorch._utils\n_rebuild_tensor_v2.__globals__\n.'),
      '__globals__"',
    ],
    ['a member of a JavaScript object', raw('c__proto__\nconstructor\n.'), '"__proto__.constructor"'],
    ['a name without a module', raw('c\ntoString\n.'), '".toString"'],
    ['control characters', raw('cos\x1b[2J\nsystem\n.'), '"os\\u001b[2J.system"'],
    ['torch.load', raw('ctorch\nload\n.'), '"torch.load"'],
    [
      'other storages',
      tensorDict(storage(2, 'ComplexFloatStorage'), 0, ints(2), ints(1)),
      '"torch.ComplexFloatStorage"',
    ],
  ];
  test.each(cases)('%s', async (_, pickle, name) => {
    await refused(pth(pickle), name);
    await refused(pth(pickle), 'which weights do not need; none of it was executed');
  });

  test('in the older container, before the object and inside it', async () => {
    await refused(raw('\x80\x02cposix\nsystem\n', text('true'), '\x85R.'), 'weights.pth refers to "posix.system"');
    await refused(raw(streamHeader(), '\x80\x02cposix\nsystem\n.'), 'weights.pth refers to "posix.system"');
  });
});

describe('an unknown global never runs anything and yields no tensors', () => {
  const tensor = raw('ctorch._utils\n_rebuild_tensor_v2\n(', storage(2), int(0), ints(2), ints(1), '\x89}tR');
  const empty = raw('cevil\nThing\n)\x81');
  const named = (value: Uint8Array) => raw('}', text('w'), value, 's');
  /** Each value that an unknown name makes of a tensor, or holds one. */
  const values: [string, Uint8Array][] = [
    ['by a call', raw('cevil\nrun\n', tensor, '\x85R')],
    ['by a call with the data', raw('cevil\nrun\n', storage(2), '\x85R')],
    ['by a call with arguments in tuples', raw('cevil\nrun\n', tensor, '\x85\x85\x85R')],
    ['by a call of what a call made', raw('cevil\nrun\n', tensor, '\x85R', tensor, '\x85R')],
    ['as a new object', raw('cevil\nThing\n', tensor, '\x85\x81')],
    ['as a new object with keywords', raw('cevil\nThing\n', tensor, '\x85', named(tensor), '\x92')],
    ['as an object with attributes', raw(empty, named(tensor), 'b')],
    ['as an object with attributes of a module that are no dicts', raw(empty, '}(', text('_parameters'), named(tensor), text('_buffers'), 'N', text('_modules'), '}ub')],
    ['as an object with slots', raw(empty, 'N', named(tensor), '\x86b')],
    ['as a list', raw(empty, tensor, 'a(', tensor, tensor, 'e')],
    ['as a dict', raw(empty, text('w'), tensor, 's(', text('v'), tensor, 'u')],
    ['as a set', raw(empty, '(', tensor, '\x90')],
    ['as a tensor with attributes', raw('ctorch._tensor\n_rebuild_from_type_v2\n(cevil\nrun\nctorch\nTensor\n', storage(2), int(0), '\x86NtR')],
  ]; // biome-ignore format: a line a case

  test.each(values)('%s', async (_, value) => {
    await refused(pth(raw(value, '.')), 'which weights do not need; none of it was executed');
    const { tensors, notes } = await read(pth(raw('}', text('state'), named(tensor), 's', text('other'), value, 's.')));
    expect([...tensors.keys()]).toEqual(['w']);
    expect(notes.at(-1)).toMatch(
      /^Left out what weights do not need, without executing it: (evil|torch\._tensor)\..*\.$/,
    );
  });

  test.each(
    values.filter(([how]) => how.includes('call') || how.startsWith('as a new') || how.includes('tensor with')),
  )('%s, in the place of a tensor', async (_, value) => {
    await refused(pth(raw('}', text('v'), tensor, 's', text('w'), value, 's.')), 'its tensor "w" is made by "');
  });

  test('whatever its name is in JavaScript', async () => {
    const names = [
      'constructor',
      '__proto__',
      'toString',
      'process.exit',
      'globalThis.eval',
      'Function',
      'require',
      'fs.rmSync',
    ];
    for (const name of names) {
      const module = name.includes('.') ? name.split('.')[0]! : '';
      const called = raw(`c${module}\n${name.split('.').at(-1)}\n`, text('globalThis.ran = true'), '\x85R');
      const { tensors } = await read(pth(raw('}', text('w'), tensor, 's', text('x'), called, 's.')));
      expect([...tensors.keys()]).toEqual(['w']);
    }
    expect(globalThis).not.toHaveProperty('ran');
  });

  test.each([
    'os\nsystem',
    'posix\nsystem',
    'nt\nsystem',
    'subprocess\nPopen',
    'builtins\nexec',
    '__builtin__\neval',
    'runpy\nrun_path',
    'importlib\nimport_module',
    'ctypes\nCDLL',
    'shutil\nrmtree',
    'pickle\nloads',
    'pty\nspawn',
    'builtins\n__import__',
  ])('and %j refuses a file even beside weights', async (name) => {
    const called = raw(`c${name}\n`, text('true'), '\x85R');
    await refused(
      pth(raw('}', text('w'), tensor, 's', text('x'), called, 's.')),
      `"${name.replace('\n', '.')}", which`,
    );
  });

  test('and many of them take little memory', async () => {
    const names = Array.from({ length: 11_000 }, (_, i) => raw(`cevil\n${'x'.repeat(40)}${i}\n0`));
    await refused(pth(raw(...names, '}.')), 'refers to more than 10000 names');
    await refused(
      pth(raw(text('a'.repeat(600)), 'q\0', text('b'.repeat(600)), '\x93.')),
      'has a name that is too long',
    );
  });
});
