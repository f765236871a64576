/** `--config`, which every command has: options from a YAML or JSON file. */
import { optionsIn, readMapping } from '../option-file.ts';
import { type Table, text } from '../options.ts';

export const configField = text({
  expected: 'a YAML or JSON file',
  flag: '--config <file>',
  doc: 'read options from a YAML or JSON file; those on the command line override them',
});

/**
 * Reads the options in a file. Those that are required may be missing.
 *
 * @throws UsageError naming the file and the option if one of them is invalid.
 */
export const readConfig = async (path: string, table: Table): Promise<Record<string, unknown>> =>
  optionsIn(await readMapping(path, '--config needs a YAML or JSON file.'), table, path, (key) =>
    'recipe' in table && isRemark(key) ? ', which recipes have. Name the file with --recipe instead.' : undefined,
  );

/** What only the file of a recipe has. */
const isRemark = (key: string): boolean =>
  ['description', 'source', 'differences', 'referenceBatch', 'referenceSize'].includes(key);
