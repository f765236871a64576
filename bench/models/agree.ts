/**
 * Runs a shipped model in every way on the same images, and prints how many each gets right and how far its logits are from
 * those of form C: forms A, B and C on the ONNX Runtime of this package, the exported ONNX file in plain ONNX Runtime, and
 * PyTorch, which reads the weights and the images itself.
 *
 *   npm run build && npx tsx bench/models/agree.ts cifar10 [IMAGES]
 *
 * IMAGES is a folder of class folders or a tar of them. Default: the model's sample in `test/samples`. Python is that of the
 * environment variable PYTHON, or /usr/bin/python3; without PyTorch, its row is missing. Fails if a prediction differs.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { forms, loadModel } from 'resnext';
import { tensor } from 'resnext/graph';
import { writeSafetensorsFile } from 'resnext/weights';
import { python } from '../children.ts';
import { main, printTable } from '../report.ts';
import { temporaryFolder } from '../weights.ts';
import { modelFolder, samplePath } from './accuracy.ts';
import {
  type Images,
  type Logits,
  largestDifference,
  logitsInForm,
  logitsOfOnnx,
  mostLikely,
  readImages,
} from './logits.ts';

/** What one way of running the model gives. */
interface Row {
  readonly name: string;
  readonly correct: number;
  /** Images with the same most likely class as in form C. */
  readonly same: number;
  readonly difference: number;
}

/** What `check_models.py` prints. */
interface PyTorch extends Omit<Row, 'name'> {
  readonly torch: string;
}

await main(async () => {
  const [name = '', data = samplePath(name)] = process.argv.slice(2);
  if (name === '') throw new Error('Name a model: npx tsx bench/models/agree.ts cifar10 [IMAGES]');
  const folder = modelFolder(name);
  const model = await loadModel(folder);
  const images = await readImages(model, data);
  const reference = await logitsInForm(model, 'C', images);
  const row = (way: string, logits: Logits): Row => {
    const [own, others] = [mostLikely(logits, images), mostLikely(reference, images)];
    return {
      name: way,
      correct: own.filter((label, index) => label === images.labels[index]).length,
      same: own.filter((label, index) => label === others[index]).length,
      difference: largestDifference(logits, reference),
    };
  };
  const rows: Row[] = [];
  for (const form of forms) rows.push(row(`form ${form}`, await logitsInForm(model, form, images)));
  rows.push(row('exported ONNX, plain ONNX Runtime', await logitsOfOnnx(model, images)));
  const torch = await inPyTorch(folder, data, images, reference);
  if (torch) rows.push({ ...torch, name: `PyTorch ${torch.torch}` });
  const count = images.labels.length;
  printTable([
    [name, 'correct', 'top-1', 'as form C', 'largest difference of a logit'],
    ...rows.map(({ name: way, correct, same, difference }) => [
      ...[way, `${correct} of ${count}`, `${((100 * correct) / count).toFixed(2)} %`, `${same} of ${count}`],
      difference === 0 ? '0' : difference.toExponential(1),
    ]),
  ]);
  const other = rows.find(({ same }) => same < count);
  if (other) throw new Error(`${other.name} predicts another class for ${count - other.same} of ${count} images.`);
});

async function inPyTorch(folder: string, data: string, images: Images, logits: Logits): Promise<PyTorch | undefined> {
  const file = join(temporaryFolder(), 'logits.safetensors');
  const dims = [images.labels.length, logits.length / images.labels.length];
  const names = new Map([['names', JSON.stringify(images.names)]]);
  await writeSafetensorsFile(file, new Map([['logits', tensor('float32', dims, logits)]]), names);
  const script = fileURLToPath(new URL('../../test/golden/check_models.py', import.meta.url));
  try {
    await promisify(execFile)(python, ['-c', 'import torch, torchvision, PIL']);
  } catch {
    console.log(`Skipping PyTorch: ${python} has no torch, torchvision and PIL.`);
    return undefined;
  }
  return JSON.parse((await promisify(execFile)(python, [script, folder, data, file])).stdout) as PyTorch;
}
