/** Options from a file, with the command line's own on top, and names that do not exist. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { UsageError } from '../errors.ts';
import { flag, list, oneOf, real, text, whole } from '../options.ts';
import { command, suggestNames } from './command.ts';

const options = {
  data: text({ required: true, expected: 'a folder', flag: '<dir>', doc: 'folder' }),
  learningRate: real({ above: 0, default: 0.1, flag: '--lr, --learning-rate <rate>', doc: 'rate' }),
  epochs: whole({ from: 1, default: 30, flag: '--epochs <n>', doc: 'passes' }),
  freeze: list(text({ doc: 'a group' }), { default: [], flag: '--freeze <groups>', doc: 'groups' }),
  form: oneOf(['A', 'B', 'C'], { default: 'C', flag: '--form <form>', doc: 'form' }),
  strict: flag({ default: false, flag: '--strict', doc: 'strict' }),
};

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-config-'));
});
afterAll(() => rmSync(dir, { recursive: true }));
afterEach(() => void vi.restoreAllMocks());

/** The options that a command gets. */
async function parse(...args: string[]): Promise<unknown> {
  let got: unknown;
  const program = new Command('resnext').exitOverride();
  suggestNames(program);
  const run = async (given: unknown) => {
    got = given;
    return 0;
  };
  const go = { name: 'go', summary: 'Go', examples: ['resnext go'], options: async () => options };
  await command({ ...go, load: async () => ({ run }) }).add(program, true);
  await program.parseAsync(args, { from: 'user' });
  return got;
}

function config(contents: string, name = 'options.yaml'): string {
  const path = join(dir, name);
  writeFileSync(path, contents);
  return path;
}

describe('--config', () => {
  const expected = {
    data: 'flowers',
    learningRate: 0.05,
    epochs: 60,
    freeze: ['stem', 'layer1'],
    form: 'A',
    strict: true,
  };

  it.each([
    ['YAML', 'dir: flowers\nlearning-rate: 0.05 # half\nepochs: 60\nfreeze: [stem, layer1]\nform: A\nstrict: true\n'],
    [
      'YAML as typed',
      'dir: flowers\nlr: "0.05"\nepochs: 60\nfreeze: stem,layer1\nform: A\nstrict: yes\n'.replace('yes', 'true'),
    ],
    ['JSON', JSON.stringify(expected)],
  ])('reads %s', async (_, contents) => {
    expect(await parse('go', '--config', config(contents))).toEqual(expected);
  });

  it('is overridden by the command line, even by a default', async () => {
    const path = config('dir: flowers\nepochs: 60\nform: A\n');
    expect(await parse('go', 'roses', '--epochs', '30', '--config', path)).toMatchObject({
      data: 'roses',
      epochs: 30,
      form: 'A',
    });
  });

  it.each([
    ['learning_rate: 1', /: there is no option "learning_rate"\. Did you mean learningRate\?$/],
    ['epoch: 1', /: there is no option "epoch"\. Did you mean epochs\?$/],
    [
      'device: gpu',
      /: there is no option "device"\. The options are data, learningRate, epochs, freeze, form, strict\.$/,
    ],
    ['config: other.yaml', /: there is no option "config"/],
    ['date: 1', /: there is no option "date"\. Did you mean data\?$/],
    ['dir: a\ndata: b', /: data is given twice, as dir and as data\. Remove one of the two\.$/],
    ['__proto__: {}', /: there is no option "__proto__"/],
    ['lr: 1\nlearningRate: 2', /: learningRate is given twice, as lr and as learningRate\. Remove one of the two\.$/],
    ['epochs: ten', /: epochs is "ten", but expected a whole number of at least 1\.$/],
    ['epochs:', /: epochs is null, but expected a whole number of at least 1\.$/],
    ['strict: maybe', /: strict is "maybe", but expected true or false\.$/],
    ['- epochs', /should contain options and their values, such as "epochs: 60"\.$/],
    ['', /should contain options and their values/],
    ['epochs: [', /is not YAML or JSON: .+ at line 1, column \d+\.$/],
    ['[{'.repeat(20_000), /is not YAML or JSON: it is nested too deeply\.$/],
    [
      'a: &a [x]\n'.concat(
        ...'bcdefghijk'.split('').map((name, i) => `${name}: &${name} [${`*${'abcdefghij'[i]},`.repeat(9)}]\n`),
      ),
      /is not YAML or JSON: Excessive alias count/,
    ],
    [`#${' '.repeat(2 ** 16)}`, /has 65537 bytes, but a file of options may have at most 65536\.$/],
  ])('refuses %.20j', async (contents, message) => {
    const refused = parse('go', 'flowers', '--config', config(contents));
    await expect(refused).rejects.toThrow(UsageError);
    await expect(refused).rejects.toThrow(message);
  });

  it('says what is missing', async () => {
    await expect(parse('go', '--config', join(dir, 'none.yaml'))).rejects.toThrow(/^There is no file ".*none\.yaml"\./);
    await expect(parse('go', '--config', config('epochs: 1'))).rejects.toMatchObject({
      typed: 'Name a folder: <dir> is missing.',
    });
  });
});

describe('names that do not exist', () => {
  it.each([
    [['go', '--epoch', '3'], 'error: There is no option --epoch. Did you mean --epochs?\n'],
    [['go', '--epcohs=3'], 'error: There is no option --epcohs. Did you mean --epochs?\n'],
    [['go', '-epochs', '3'], 'error: There is no option -epochs. Did you mean --epochs?\n'],
    [['go', '--learning_rate', '3'], 'error: There is no option --learning_rate. Did you mean --learning-rate?\n'],
    [['go', '--confg', 'x'], 'error: There is no option --confg. Did you mean --config?\n'],
    [['go', '--device', 'gpu'], 'error: There is no option --device.\n'],
    [['og'], 'error: There is no command og. Did you mean go?\n'],
  ])('%j', async (args, message) => {
    const printed = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    await expect(parse(...args)).rejects.toThrow();
    expect(printed.mock.calls[0]![0]).toBe(message);
  });
});
