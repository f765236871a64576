/**
 * One set of weights of a net in the formats that the contenders read: PyTorch makes and exports them. Without PyTorch
 * they are this package's, and so is the ONNX file.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pythonContender } from './children.ts';
import { Unavailable } from './harness.ts';
import type { Net } from './nets.ts';

export interface WeightFiles {
  /** The net with folded normalization as PyTorch exports it, or as this package writes it. */
  readonly onnx: string;
  readonly safetensors: string;
  /** PyTorch's own file; undefined where there is no PyTorch. */
  readonly pt: string | undefined;
}

/** A folder that goes when this process ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'resnext-bench-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes the files into a folder, over those of another net. */
export async function writeWeights(net: Net, folder: string): Promise<WeightFiles> {
  const [onnx, safetensors, pt] = ['net.onnx', 'net.safetensors', 'net.pt'].map((name) => join(folder, name));
  const files = { onnx: onnx!, safetensors: safetensors!, pt };
  try {
    const settings = { net: net.name, config: net.config, ...files };
    const runner = await pythonContender("PyTorch's export", 'torch_export.py', settings).start();
    await runner.stop();
    return files;
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    console.log(`PyTorch is skipped: ${error.message} ONNX Runtime runs the file that this package exports instead.`);
    await writeOwn(net, files);
    return { ...files, pt: undefined };
  }
}

async function writeOwn({ config }: Net, { onnx, safetensors }: Omit<WeightFiles, 'pt'>): Promise<void> {
  const { initialWeights, resnext, setWeights } = await import('resnext');
  const { writeOnnxFile } = await import('resnext/graph');
  const { stateDict, writeSafetensorsFile } = await import('resnext/weights');
  const model = resnext(config);
  const weights = initialWeights(model, 1);
  setWeights(model, weights);
  await writeSafetensorsFile(safetensors, stateDict(model, weights));
  await writeOnnxFile(onnx, model.graph);
}
