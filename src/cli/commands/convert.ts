/** `resnext convert`: writes the blocks of a model in another form, weights included. */
import { UsageError } from '../../errors.ts';
import type { Graph } from '../../graph/graph.ts';
import type { Form } from '../../model/config.ts';
import { isOnnxFile, readOnnxFile, writeOnnxFile } from '../../onnx/files.ts';
import type { OptionsOf } from '../../options.ts';
import { byEnding } from '../../output/endings.ts';
import { convertGraph } from '../../rewrite/convert.ts';
import { convert } from '../../saved/convert.ts';
import { descriptionKey, readDescription, writeDescription } from '../../saved/description.ts';
import { exportOnnx } from '../../saved/export.ts';
import { loadModel, writeModelFile } from '../../saved/files.ts';
import type { SavedModel } from '../../saved/model.ts';
import { keyOf, modelPath } from '../model.ts';
import { convertOptions } from '../options/models.ts';
import { describeRewrite, type Output } from '../output.ts';
import { oneNetwork, refuseIdle } from '../refuse.ts';

type ConvertOptions = OptionsOf<typeof convertOptions>;

const writers: Readonly<Record<string, (target: string, model: SavedModel) => Promise<void>>> = {
  '.onnx': exportOnnx,
  '.safetensors': writeModelFile,
};

export async function run(options: ConvertOptions, output: Output): Promise<number> {
  const { input, output: target, form } = options;
  const write = byEnding(target, writers, 'Give the output a name with one of these endings.');
  const path = await modelPath(input, output);
  if (isOnnxFile(path)) {
    refuseIdle(convertOptions, options, ['key'], oneNetwork);
    return convertOnnx(path, options, output);
  }
  const model = convert(await loadModel(path, keyOf(options)), form);
  await write(target, model);
  output.document({ input, output: target, form });
  output.line(`Wrote ${target}: ${model.description.variant} in form ${form}.`);
  return 0;
}

/** Converts any ONNX file by its structure. */
async function convertOnnx(path: string, options: ConvertOptions, output: Output): Promise<number> {
  const { input, output: target, form } = options;
  if (!isOnnxFile(target)) {
    throw new UsageError(`"${input}" is an ONNX file, so "${target}" should also end in .onnx.`);
  }
  const { graph, report } = convertGraph(await readOnnxFile(path), form);
  if (report.refusals.length === 0) restate(graph, form, input);
  await writeOnnxFile(target, graph);
  output.document({ input, output: target, form, ...report });
  output.line(describeRewrite(report));
  output.line(`Wrote ${target}.`);
  return 0;
}

/** Updates the form in the description, if this package exported the file. */
function restate(graph: Graph, form: Form, source: string): void {
  const text = graph.metadata.get(descriptionKey);
  if (text === undefined) return;
  const description = readDescription(text, source);
  graph.metadata.set(descriptionKey, writeDescription({ ...description, config: { ...description.config, form } }));
}
