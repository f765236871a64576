/** What can be typed: the commands with their options. Their code is loaded when they run. */
import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { layoutNames } from '../checkpoints/write.ts';
import { viewNames } from '../data/presets.ts';
import { interpolations } from '../data/resize.ts';
import { themes } from '../draw/theme.ts';
import { forms } from '../model/config.ts';
import { resultFormats } from '../output/results.ts';
import { trainDefaults } from '../train/options.ts';
import { schedules } from '../train/schedule.ts';
import { exportFormats } from './formats.ts';
import { createOutput, type Output } from './output.ts';

/** A command gets its arguments, its options and where to print, and gives the exit code. */
type Run = (args: never, options: never, output: Output) => Promise<number>;

const number = (text: string): number => {
  const value = Number(text);
  if (text.trim() === '' || Number.isNaN(value)) throw new InvalidArgumentError('It should be a number.');
  return value;
};

const list = (text: string): string[] => text.split(',').flatMap((part) => part.trim() || []);

const formOption = () => new Option('--form <form>', 'how blocks are written').choices(forms).default('C');
const shortcutOption = () =>
  new Option('--shortcut <type>', 'shortcut where shapes change (default: B)').choices(['A', 'B', 'C', 'D']);
const modelHelp =
  'a run, a file of weights (.safetensors, .pth, .t7), an .onnx file of this package, published weights, owner/name on the hub, or an address';
const ttaOption = () =>
  new Option('--tta <views>', 'what of an image is looked at; logits are averaged')
    .choices(viewNames)
    .default('center');
const jsonOption = (what = 'print one JSON document') => new Option('--json', what);

/** Registers a command whose module is imported when it runs. */
function command(
  program: Command,
  usage: string,
  summary: string,
  example: string,
  load: () => Promise<{ run: Run }>,
): Command {
  return program
    .command(usage)
    .description(summary)
    .addHelpText('after', `\nExample:\n  $ ${example}`)
    .action(async (...given: unknown[]) => {
      const self = given.pop() as Command;
      const { run } = await load();
      const options = self.opts<{ json?: boolean; format?: string }>();
      const output = createOutput(options.json === true || options.format === 'json');
      try {
        process.exitCode = await run(self.processedArgs as never, options as never, output);
      } finally {
        output.clear();
      }
    });
}

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** The command `resnext`; parsing throws a CommanderError for what cannot be parsed, after printing it. */
export function createProgram(): Command {
  const program = new Command('resnext').description('ResNeXt: build, train, evaluate, classify, export.');
  program.version(version()).exitOverride().showHelpAfterError('(run with --help for all options)');
  const commands = [
    addList,
    addPull,
    addSummary,
    addTrain,
    addEvaluate,
    addClassify,
    addFeatures,
    addExport,
    addVerify,
    addConvert,
    addOptimize,
    addDraw,
    addBench,
  ];
  for (const add of commands) add(program);
  return program;
}

function addList(program: Command): void {
  command(
    program,
    'list [pattern]',
    'named variants with their size, or published weights',
    'resnext list --weights seresnext',
    () => import('./commands/list.ts'),
  )
    .option('--weights', 'published weights, for `resnext pull`')
    .addOption(jsonOption());
}

function addPull(program: Command): void {
  command(
    program,
    'pull <name...>',
    'fetch published weights, or anybody’s on the Hugging Face hub',
    'resnext pull resnext50_32x4d.tv2_in1k',
    () => import('./commands/pull.ts'),
  )
    .option('--offline', 'only look into the caches')
    .addOption(jsonOption('print JSON lines'));
}

function addSummary(program: Command): void {
  command(
    program,
    'summary <model>',
    'stages, parameters and multiply-adds of a variant or a model, and what was found in a file of others',
    'resnext summary resnext50_32x4d --form A',
    () => import('./commands/summary.ts'),
  )
    .addOption(formOption())
    .addOption(shortcutOption())
    .option('--classes <n>', 'number of classes', number)
    .option('--size <pixels>', 'height and width of the input', number)
    .addOption(jsonOption());
}

function addEvaluate(program: Command): void {
  const evaluate = command(
    program,
    'evaluate <dir>',
    'measure a model on a folder of class folders',
    'resnext evaluate flowers/test --model runs/flowers',
    () => import('./commands/evaluate.ts'),
  );
  addModel(evaluate, 64)
    .addOption(ttaOption())
    .option('--workers <n>', 'threads that decode images', number)
    .option('--strict', 'stop at an image that cannot be read')
    .option('--report <file>', 'an HTML page to write: classes, confusion matrix, images that were named wrong')
    .addOption(jsonOption());
}

/** Which model, and how images get into it. */
const addModel = (command: Command, batch: number): Command =>
  command
    .requiredOption('--model <model>', modelHelp)
    .option('--size <pixels>', 'height and width of the net’s input (default: the model’s)', number)
    .option('--resize <pixels>', 'what an image’s shorter side is brought to (default: the model’s)', number)
    .addOption(new Option('--interpolation <kind>', '(default: the model’s)').choices(interpolations))
    .option('--labels <file>', 'names of the classes, a line each or JSON, where the model does not say them')
    .option('--batch <n>', 'images at a time', number, batch)
    .option('--threads <n>', 'threads of the engine (default: all cores)', number);

const sourcesHelp = 'files, folders, quoted patterns such as "**/*.jpg", URLs, or - for standard input';

function addClassify(program: Command): void {
  const classify = command(
    program,
    'classify',
    'name what images show',
    'resnext classify rose.jpg garden https://example.org/tulip.jpg --model runs/flowers --top 3',
    () => import('./commands/classify.ts'),
  ).argument('<image...>', sourcesHelp);
  addModel(classify, 32)
    .option('--top <n>', 'classes to name', number, 5)
    .option('--threshold <p>', 'name only classes that are at least so likely, from 0 to 1', number, 0)
    .addOption(ttaOption())
    .addOption(
      new Option('--format <format>', 'how results are written (default: by the ending of -o, else text)').choices(
        resultFormats,
      ),
    )
    .option('-o, --output <file>', 'write the results to a file')
    .addOption(jsonOption('print one JSON document, as --format json').conflicts('format'));
}

function addFeatures(program: Command): void {
  const features = command(
    program,
    'features',
    'what a net makes of images before it names them, as files for other programs',
    'resnext features photos --model runs/flowers --stages layer3,pooled -o photos.npy',
    () => import('./commands/features.ts'),
  ).argument('<image...>', sourcesHelp);
  addModel(features, 32)
    .option('--stages <names>', 'of stem, layer1, layer2 and so on, pooled, logits; a file for each', 'pooled')
    .requiredOption(
      '-o, --output <file>',
      '.npy ([N, F] or [N, C, H, W], names in .paths.txt), .parquet or .jsonl (columns path, features)',
    )
    .addOption(jsonOption());
}

function addExport(program: Command): void {
  command(
    program,
    'export <model>',
    'write a variant or a trained model for other programs',
    'resnext export runs/flowers -o flowers.onnx --input bytes --softmax',
    () => import('./commands/export.ts'),
  )
    .requiredOption('-o, --output <target>', 'an .onnx or .safetensors file, or a folder for transformers.js')
    .addOption(new Option('--format <format>', 'what to write, where the target does not tell').choices(exportFormats))
    .addOption(
      new Option(
        '--input <kind>',
        'of an ONNX file: float, normalized [N, C, H, W] (default), or bytes, pixels [N, H, W, C]',
      ).choices(['float', 'bytes']),
    )
    .addOption(
      new Option('--layout <name>', 'whose names a .safetensors file has (default: torchvision)').choices(layoutNames),
    )
    .option('--softmax', 'an ONNX file that gives probabilities in place of logits')
    .addOption(new Option('--form <form>', 'how blocks are written; C for a variant, else as trained').choices(forms))
    .addOption(shortcutOption())
    .option('--classes <n>', 'number of classes of a new variant', number)
    .option('--size <pixels>', 'height and width of the input of a new variant', number)
    .option('--seed <n>', 'seed of a new variant’s weights', number, 1)
    .addOption(jsonOption());
}

function addVerify(program: Command): void {
  command(
    program,
    'verify <model>',
    'prove that forms A, B and C of a net are one',
    'resnext verify resnext50_32x4d',
    () => import('./commands/verify.ts'),
  )
    .option('--threads <n>', 'threads of the engine', number)
    .option('--seed <n>', 'seed of a variant’s weights', number, 1)
    .option('--report <file>', 'write an HTML page with the drawings too')
    .addOption(jsonOption());
}

function addConvert(program: Command): void {
  command(
    program,
    'convert <input> <output>',
    'write a model’s blocks in another form, weights and all',
    'resnext convert runs/flowers flowers-a.onnx --form A',
    () => import('./commands/convert.ts'),
  )
    .addOption(formOption())
    .addOption(jsonOption());
}

function addOptimize(program: Command): void {
  command(
    program,
    'optimize <input>',
    'find emulated grouped convolutions in anybody’s ONNX file, make them real, fold normalization',
    'resnext optimize keras-resnext.onnx -o faster.onnx',
    () => import('./commands/optimize.ts'),
  )
    .requiredOption('-o, --output <file>', 'the ONNX file to write')
    .option('--tolerance <difference>', 'largest relative difference of the outputs that is accepted', number, 1e-4)
    .addOption(jsonOption());
}

function addDraw(program: Command): void {
  command(
    program,
    'draw [model]',
    'a block as the paper draws it, or grouped convolution, as SVG',
    'resnext draw resnext50_32x4d --block layer1.1 --form A -o block.svg',
    () => import('./commands/draw.ts'),
  )
    .option('--block <name>', 'the block (default: the first)')
    .addOption(
      new Option('--form <form>', 'how blocks are written; C for a variant, else as in the file').choices(forms),
    )
    .option('--details', 'also normalization, activations and sizes')
    .option('--grouped <in,out,groups>', 'grouped convolution channel by channel, in place of a block')
    .addOption(new Option('--theme <theme>', 'auto follows the reader’s setting').choices(themes).default('auto'))
    .option('-o, --output <file>', 'the SVG file to write; without one it is printed');
}

function addBench(program: Command): void {
  command(
    program,
    'bench <model>',
    'time a variant, a trained model or anybody’s ONNX file on this machine',
    'resnext bench resnext50_32x4d --batch 8 --tune',
    () => import('./commands/bench.ts'),
  )
    .option('--batch <n>', 'images in a run', number, 1)
    .option('--threads <n>', 'threads of the engine (default: all cores)', number)
    .option('--runs <n>', 'timed runs', number, 20)
    .option('--size <pixels>', 'height and width of the input of a variant', number)
    .option('--tune', 'time the choices there are and keep the fastest for this machine')
    .addOption(jsonOption());
}

function addTrain(program: Command): void {
  const train = command(
    program,
    'train [dir]',
    'train on a folder of images',
    'resnext train flowers --variant resnext26_32x4d --epochs 30 --out runs/flowers',
    () => import('./commands/train.ts'),
  );
  for (const add of [addNet, addRecipe, addImages]) add(train);
  train
    .option('--seed <n>', `(default: ${trainDefaults.seed})`, number)
    .option('--threads <n>', 'threads of the engine (default: all cores)', number)
    .option('--checkpoint-every <seconds>', `within an epoch (default: ${trainDefaults.checkpointEvery})`, number)
    .addOption(jsonOption('print JSON lines'))
    .addHelpText('after', '  $ resnext train roses --from runs/flowers --freeze stem,layer1 --out runs/roses');
}

/** What is trained, and where the run is kept. */
function addNet(train: Command): void {
  const d = trainDefaults;
  train
    .option('--out <run>', 'folder for the results')
    .option('--resume <run>', 'go on with an interrupted run')
    .option('--from <model>', 'start from a model, as --model of classify: its net, preprocessing and weights')
    .option('--freeze <parts>', 'leave parts as they are: stem,layer1,… or fc, or "all but fc"', list)
    .option('--linear-probe', 'compute features once, train the classifier alone on them')
    .option('--variant <name>', `the net (default: ${d.variant})`)
    .addOption(new Option('--form <form>', `how blocks are written (default: ${d.form})`).choices(forms))
    .addOption(shortcutOption())
    .option(
      '--size <pixels>',
      'height and width images are brought to (default: the model’s, or 32 or 224, by the stem)',
      number,
    )
    .option(
      '--input-channels <n>',
      `1 for grayscale, 3 for color; with --from its stem is adapted (default: its own, else ${d.inputChannels})`,
      number,
    )
    .option('--zero-init-last', 'start each block as its shortcut');
}

/** How images are found, read and varied. */
function addImages(train: Command): void {
  const d = trainDefaults;
  train
    .addOption(
      new Option('--augmentation <kind>', 'how images are varied (default: by the stem)').choices([
        ...['auto', 'pad-and-crop', 'random-resized-crop'],
      ]),
    )
    .option(
      '--validation <share>',
      `kept for validation where there is no val folder (default: ${d.validation})`,
      number,
    )
    .option('--strict', 'stop at an image that cannot be read')
    .option('--workers <n>', 'threads that decode images (default: one per core, at most 8)', number)
    .option(
      '--cache <MiB>',
      'memory for decoded images, 0 for none (default: a quarter of what is free, at most 1024)',
      number,
    );
}

/** What the optimizer does. */
function addRecipe(train: Command): void {
  const d = trainDefaults;
  train
    .option('--epochs <n>', `times that every image is seen (default: ${d.epochs})`, number)
    .option(
      '--batch <n>',
      `images per step; a last batch that is not full is left out of its epoch, and the next has another order (default: ${d.batch}, or all where there are fewer)`,
      number,
    )
    .option(
      '--lr, --learning-rate <rate>',
      '(default: 0.1 for 256 large or 128 small images a step, in proportion)',
      number,
    )
    .option(
      '--backbone-lr, --backbone-learning-rate <rate>',
      'of everything but the classifier (default: the learning rate; with --from a tenth of it)',
      number,
    )
    .addOption(new Option('--schedule <name>', `learning rate over time (default: ${d.schedule})`).choices(schedules))
    .option('--warmup <epochs>', `epochs in which the learning rate rises (default: ${d.warmup})`, number)
    .option('--momentum <m>', `(default: ${d.momentum})`, number)
    .option('--no-nesterov', 'plain momentum')
    .option('--weight-decay <d>', `(default: ${d.weightDecay})`, number)
    .option('--norm-weight-decay <d>', `on biases and normalization (default: ${d.normWeightDecay})`, number)
    .option('--label-smoothing <s>', `(default: ${d.labelSmoothing})`, number);
}
