/** The options of `resnext serve`. */
import { list, oneOf, text } from '../../options.ts';
import { serveFields } from '../../serve/options.ts';
import { modelDoc } from './shared.ts';

const { models: _, keys: __, onLog: ___, ...fields } = serveFields;

/** Which lines of the log are printed. */
export const logChoices = ['requests', 'errors', 'none'] as const;

export const serveOptions = {
  model: list(text({ expected: 'a model', doc: 'a model' }), {
    default: ['cifar10'],
    nonEmpty: true,
    flag: '--model <models>',
    group: 'Model',
    doc: `models, separated by commas, each as NAME=MODEL or MODEL; requests without a name get the first. A model is ${modelDoc}`,
  }),
  ...fields,
  keys: text({
    expected: 'a file of keys',
    flag: '--keys <file>',
    group: 'Network',
    doc: 'file of keys, one per line, one of which a request must have',
  }),
  log: oneOf(logChoices, {
    default: 'requests',
    flag: '--log <what>',
    group: 'Output',
    doc: 'what to print as JSON lines: every request, errors only, or nothing',
  }),
};
