/** The logits of a model for the same images in several ways, which have to agree. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ort from 'onnxruntime-node';
import { convert, exportOnnx, type Form, type loadModel } from 'resnext';
import { evaluationTransforms, Loader, openLabeledImages } from 'resnext/data';
import { Session, tensor } from 'resnext/graph';

type Model = Awaited<ReturnType<typeof loadModel>>;

/** Images as a model takes them, in batches [N, C, H, W], with their classes and names, CLASS/FILE. */
export interface Images {
  readonly batches: readonly Float32Array[];
  readonly dims: readonly [channels: number, height: number, width: number];
  readonly labels: readonly number[];
  readonly names: readonly string[];
}

/** Logits, flat [N, K]. */
export type Logits = Float32Array;

export async function readImages({ description: { classes, preprocessing } }: Model, data: string): Promise<Images> {
  const { samples } = await openLabeledImages(data, classes);
  const loader = new Loader({ workers: 0, cache: 0 });
  const batches: Float32Array[] = [];
  const transforms = evaluationTransforms(preprocessing);
  const { channels, size } = preprocessing;
  for await (const { images, count } of loader.batches({ samples, transforms, batchSize: 100, corrupt: 'throw' })) {
    batches.push(images.slice(0, count * channels * size * size));
  }
  await loader.close();
  const labels = Array.from({ length: samples.length }, (_, index) => samples.label(index));
  const names = labels.map((label, index) => `${classes[label]}/${samples.key(index)}`);
  return { batches, dims: [channels, size, size], labels, names };
}

/** With the blocks in a form, on the ONNX Runtime of this package. */
export async function logitsInForm(model: Model, form: Form, images: Images): Promise<Logits> {
  const session = await Session.open(convert(model, form).graph);
  try {
    return await eachBatch(images, async (data, dims) => {
      const results = await session.run(new Map([['input', tensor('float32', dims, data)]]));
      return results.get('logits')!.data as Float32Array;
    });
  } finally {
    await session.dispose();
  }
}

/** Of the exported ONNX file, which onnxruntime-node runs without this package. */
export async function logitsOfOnnx(model: Model, images: Images): Promise<Logits> {
  const folder = await mkdtemp(join(tmpdir(), 'resnext-logits-'));
  try {
    const file = join(folder, 'model.onnx');
    await exportOnnx(file, model);
    const session = await ort.InferenceSession.create(file);
    const logits = await eachBatch(images, async (data, dims) => {
      const results = await session.run({ input: new ort.Tensor('float32', data, dims) });
      return results.logits!.data as Float32Array;
    });
    await session.release();
    return logits;
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function eachBatch(
  { batches, dims }: Images,
  run: (data: Float32Array, dims: readonly number[]) => Promise<Float32Array>,
): Promise<Logits> {
  const parts: number[][] = [];
  const [channels, height, width] = dims;
  for (const batch of batches) {
    const rows = await run(batch, [batch.length / (channels * height * width), ...dims]); // [N, K]
    parts.push([...rows]);
  }
  return Float32Array.from(parts.flat());
}

/** The most likely class of each image. */
export function mostLikely(logits: Logits, { labels }: Images): number[] {
  const classes = logits.length / labels.length;
  return labels.map((_, n) => {
    const row = logits.subarray(n * classes, (n + 1) * classes);
    return row.indexOf(row.reduce((a, b) => Math.max(a, b)));
  });
}

/** The largest difference of a logit. */
export const largestDifference = (a: Logits, b: Logits): number =>
  a.reduce((largest, value, index) => Math.max(largest, Math.abs(value - b[index]!)), 0);
