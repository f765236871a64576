/** Registers a command from its table of options, which is imported if it is needed. Its code is imported when it runs. */
import { availableParallelism } from 'node:os';
import { type Command, type HelpConfiguration, Option } from 'commander';
import { didYouMean, meantName } from '../closest-name.ts';
import { printable } from '../errors.ts';
import { checkWritable, isStandardOutput } from '../files.ts';
import { checkGiven, type Field, type GivenOf, helpOf, type OptionsOf, resolve, type Table } from '../options.ts';
import { configField, readConfig } from './config.ts';
import { createOutput, type Output, printableLines } from './output.ts';

export interface CommandEntry<T extends Table, Options = OptionsOf<T>> {
  readonly name: string;
  readonly summary: string;
  readonly examples: readonly string[];
  /** Imports the arguments and options, in the order of the help. */
  readonly options: () => Promise<T>;
  /** The result is in files, so the command goes on if nothing can be printed any more. */
  readonly outlivesOutput?: boolean;
  /** Runs the command and returns its exit code. */
  readonly load: () => Promise<{ run: (options: Options, output: Output) => Promise<number> }>;
}

/** A command of any options. */
export interface AnyCommand {
  readonly name: string;
  /** Adds it, without its options if it is not going to be parsed or explained. */
  readonly add: (program: Command, withOptions: boolean) => Promise<void>;
}

/** A command that gets its options with defaults filled in. */
export const command = <T extends Table>(entry: CommandEntry<T>): AnyCommand => anyCommand(entry, resolve);

/** A command that gets only the options that were typed, because its defaults depend on more than the command line. */
export const commandAsTyped = <T extends Table>(entry: CommandEntry<T, GivenOf<T>>): AnyCommand =>
  anyCommand(entry, (options, typed) => {
    checkGiven(options, typed);
    return typed;
  });

const anyCommand = <T extends Table, Options>(
  entry: CommandEntry<T, Options>,
  read: (options: T, typed: object) => Options,
): AnyCommand => ({
  name: entry.name,
  async add(program, withOptions) {
    const added = program.command(entry.name).description(entry.summary);
    if (withOptions) declareAll(added, entry, await entry.options(), read);
  },
});

/** A command that only has other commands. */
export const commandGroup = (
  { name, summary, examples }: Pick<CommandEntry<Table>, 'name' | 'summary' | 'examples'>,
  commands: readonly AnyCommand[],
): AnyCommand => ({
  name,
  async add(program, withOptions) {
    const group = program.command(name).description(summary);
    suggestNames(group);
    addExamples(group, examples);
    if (withOptions) for (const { add } of commands) await add(group, true);
  },
});

function declareAll<T extends Table, Options>(
  command: Command,
  { examples, outlivesOutput = false, load }: CommandEntry<T, Options>,
  options: T,
  read: (options: T, typed: object) => Options,
): void {
  suggestNames(command);
  const isLong = Object.values(options).length > maxUngrouped;
  for (const field of [...Object.values(options), configField]) declare(command, field, isLong);
  command.usage(['[options]', ...argumentsOf(options)].join(' '));
  if (isLong) command.optionsGroup('Other:').helpOption('-h, --help', 'display help for command');
  addExamples(command, examples);
  command.action(async () => {
    const typed = await givenOptions(command, options);
    const files = writtenFiles(options, typed);
    const output = createOutput({
      json: typed.json === true || typed.format === 'json',
      stream: files.some(isStandardOutput) ? process.stderr : process.stdout,
      outlivesOutput,
    });
    const { run } = await load();
    try {
      const given = read(options, typed);
      for (const remark of beyondCores(options, typed)) output.note(remark);
      for (const file of files) await checkWritable(file);
      process.exitCode = await run(given, output);
    } finally {
      output.clear();
    }
  });
}

/** Ends the help of a command with examples. */
function addExamples(command: Command, examples: readonly string[]): void {
  const label = examples.length > 1 ? 'Examples' : 'Example';
  command.addHelpText('after', () => {
    const width = command.configureOutput().getOutHelpWidth?.() ?? 80;
    return `\n${label}:\n${examples.map((example) => wrapExample(example, width)).join('\n')}`;
  });
}

/** Makes the error for an unknown option or command name the one that was probably meant. */
export function suggestNames(command: Command): void {
  const outputError = (text: string, write: (text: string) => void) => {
    const [, kind, dashes, typed] = /^error: unknown (option|command) '(-*)([^='\n]*)/.exec(text) ?? [];
    if (typed === undefined) return write(printableLines(text));
    const flags = command.options.flatMap(({ flags }) => flags.match(/--[\w-]+/g) ?? []);
    const known = kind === 'option' ? flags : command.commands.map((each) => each.name());
    write(`error: There is no ${kind} ${dashes}${printable(typed)}.${didYouMean(meantName(typed, known))}\n`);
  };
  command.showSuggestionAfterError(false).configureOutput({ outputError });
}

/** The arguments in a table, in commander's notation. */
const argumentsOf = (options: Table): string[] =>
  Object.values(options).flatMap(({ flag = '' }) => (isArgument(flag) ? [flag] : []));

/** Aligns descriptions in one column. The description of a term that is too long for it starts on the next line. */
export const helpLayout: HelpConfiguration = {
  padWidth: () => 24,
  subcommandTerm: (command) => `${command.name()} ${command.usage()}`.replace(' [options]', ''),
  formatItem(term, width, description, help) {
    const indent = `\n${' '.repeat(width + 4)}`;
    const text = help.boxWrap(description, (help.helpWidth ?? 80) - width - 4).replaceAll('\n', indent);
    return term.length > width ? `  ${term}${indent}${text}` : `  ${term.padEnd(width)}  ${text}`;
  },
};

/** The files that the command is asked to write. */
const writtenFiles = (options: Table, typed: Readonly<Record<string, unknown>>): string[] =>
  Object.entries(options).flatMap(([name, { written }]) => {
    const path = typed[name];
    return written && typeof path === 'string' ? [path] : [];
  });

/** Remarks on numbers of threads that this machine can only run by turns. */
function* beyondCores(options: Table, typed: Readonly<Record<string, unknown>>): Generator<string> {
  const cores = availableParallelism();
  for (const [name, { threads, flag }] of Object.entries(options)) {
    const count = typed[name];
    if (!threads || typeof count !== 'number' || count <= cores) continue;
    const have = cores === 1 ? '1 core' : `${cores} cores`;
    yield `${flag?.split(' ')[0]} is ${count}, but this machine has ${have}. More threads than cores are slower.`;
  }
}

/** Longer tables of options are shown in groups. */
export const maxUngrouped = 10;

/** A command line to type. A long one continues on the next line after a backslash; an option stays with its value. */
function wrapExample(example: string, width: number): string {
  const lines = [''];
  for (const part of example.split(/ (?=-)/)) {
    const line = lines.at(-1)!;
    const isFull = line !== '' && `  $ ${line} ${part} \\`.length > width;
    if (isFull) lines.push(`  ${part}`);
    else lines[lines.length - 1] = line === '' ? part : `${line} ${part}`;
  }
  return `  $ ${lines.join(' \\\n    ')}`;
}

const isArgument = (flag: string): boolean => /^[<[]/.test(flag);

function declare(command: Command, field: Field<unknown>, grouped: boolean): void {
  const { flag, parse, group = 'Other' } = field;
  if (flag === undefined) return;
  if (isArgument(flag)) {
    command.argument(flag.replace(/^<(.*)>$/, '[$1]'), helpOf(field)); // required ones may be in the --config file
    return;
  }
  const option = new Option(flag, helpOf(field));
  if (flag.includes('<')) option.argParser(parse);
  if (grouped) option.helpGroup(`${group}:`);
  command.addOption(option);
  const opposite = oppositeOf(field);
  if (opposite !== undefined) command.addOption(new Option(opposite).hideHelp());
}

/** The flag that overrides one of a file or a recipe: `--no-strict` for `--strict`, and the reverse. */
function oppositeOf({ flag = '', accepts }: Field<unknown>): string | undefined {
  if (!accepts(true) || !accepts(false)) return undefined;
  const [, no, name] = /--(no-)?([\w-]+)$/.exec(flag) ?? [];
  return name === undefined ? undefined : `--${no === undefined ? 'no-' : ''}${name}`;
}

/** The options in the file of --config, overridden by those that were typed. */
async function givenOptions(command: Command, options: Table): Promise<Record<string, unknown>> {
  const typed = typedOptions(command, options);
  const { config } = typedOptions(command, { config: configField });
  return typeof config === 'string' ? { ...(await readConfig(config, options)), ...typed } : typed;
}

/** Commander makes an empty list of any number of arguments that are not there. */
const isPresent = (value: unknown): boolean => (Array.isArray(value) ? value.length > 0 : value !== undefined);

/** The typed values by option. Commander knows no defaults. */
function typedOptions(command: Command, options: Table): Record<string, unknown> {
  const typed: Record<string, unknown> = {};
  const args: unknown[] = [...command.processedArgs];
  for (const [name, { flag }] of Object.entries(options)) {
    if (flag === undefined) continue;
    const value: unknown = isArgument(flag) ? args.shift() : command.getOptionValue(name);
    const isTyped = isArgument(flag) ? isPresent(value) : command.getOptionValueSource(name) === 'cli';
    if (isTyped) typed[name] = value;
  }
  return typed;
}
