/** The tables of docs/options.md are those of the code, and the help of the command line is as it was read last. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { maxUngrouped } from '../src/cli/command.ts';
import { createProgram } from '../src/cli/program.ts';
import { configFields } from '../src/model/config.ts';
import { defaultInWords, either, type Field, type Table } from '../src/options.ts';
import { recipe, settings } from '../src/train/options.ts';

const page = new URL('../docs/options.md', import.meta.url);

const meaning = ({ doc, choices }: Field<unknown>): string => (choices ? `${doc}: ${either(choices)}` : doc);

/** One table, or if it is long, one with a heading for each group of options. */
function markdown(table: Table): string {
  const rows = Object.entries(table);
  if (rows.length <= maxUngrouped) return markdownTable(rows);
  const byGroup = new Map<string | undefined, [string, Field<unknown>][]>();
  for (const entry of rows) {
    const { group } = entry[1];
    byGroup.set(group, [...(byGroup.get(group) ?? []), entry]);
  }
  const tables = [...byGroup].map(([group, entries]) => {
    return `${group === undefined ? '' : `### ${group}\n\n`}${markdownTable(entries)}`;
  });
  return tables.join('\n\n');
}

function markdownTable(entries: readonly (readonly [string, Field<unknown>])[]): string {
  const hasFlags = entries.some(([, { flag }]) => flag !== undefined);
  const row = (...cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const code = (text: string | undefined) => (text === undefined ? '' : `\`${text}\``);
  const columns = (name: string, flag: string, ...rest: string[]) =>
    hasFlags ? row(name, flag, ...rest) : row(name, ...rest);
  return [
    columns('option', 'flag', 'meaning', 'default'),
    columns('---', '---', '---', '---'),
    ...entries.map(([name, field]) => columns(code(name), code(field.flag), meaning(field), defaultInWords(field))),
  ].join('\n');
}

// `npx vitest run test/options-docs.test.ts -u` writes both.
test('docs/options.md has every option', async () => {
  const tables: Readonly<Record<string, Table>> = { recipe, settings, network: configFields };
  const text = readFileSync(page, 'utf8').replace(
    /(<!-- table (\w+) -->\n).*?(\n<!-- end -->)/gs,
    (_, begin: string, name: string, end: string) => `${begin}${markdown(tables[name]!)}${end}`,
  );
  for (const name of Object.keys(tables)) expect(text).toContain(`<!-- table ${name} -->`);
  await expect(text).toMatchFileSnapshot(page.pathname);
});

test('the help of every command', async () => {
  const program = await createProgram();
  let text = '';
  for (const command of [program, ...program.commands.flatMap((each) => [each, ...each.commands])]) {
    command.configureOutput({ writeOut: (part) => (text += part), getOutHelpWidth: () => 80 });
    command.outputHelp();
    text += '\n';
  }
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([]);
  await expect(text).toMatchFileSnapshot('./help.txt');
});

test('every flag is named as its option', () => {
  const kebab = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const table: Table = { ...recipe, ...settings };
  for (const [name, { flag }] of Object.entries(table)) {
    if (flag !== undefined) expect(flag).toMatch(new RegExp(`--(no-)?${kebab(name)}( |$)`));
  }
});
