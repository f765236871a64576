/**
 * One set of weights for a network in all formats that contenders read, created and exported by PyTorch. Without
 * PyTorch, the weights and the ONNX file are from this package.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pythonContender } from './children.ts';
import { Unavailable } from './harness.ts';
import type { Network } from './networks.ts';

export interface WeightFiles {
  /** The network as exported by PyTorch, with folded normalization, or by this package. */
  readonly onnx: string;
  readonly safetensors: string;
  /** PyTorch's own file; undefined without PyTorch. */
  readonly pt: string | undefined;
}

/** A folder that is deleted when this process ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'resnext-bench-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes the files into a folder, replacing those of another network. */
export async function writeWeights(network: Network, folder: string): Promise<WeightFiles> {
  const [onnx, safetensors, pt] = ['network.onnx', 'network.safetensors', 'network.pt'].map((name) =>
    join(folder, name),
  );
  const files = { onnx: onnx!, safetensors: safetensors!, pt };
  try {
    const settings = { network: network.name, config: network.config, ...files };
    const runner = await pythonContender("PyTorch's export", 'torch_export.py', settings).start();
    await runner.stop();
    return files;
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    console.log(`Skipping PyTorch: ${error.message} ONNX Runtime uses a file exported by this package instead.`);
    await writeOwn(network, files);
    return { ...files, pt: undefined };
  }
}

async function writeOwn({ config }: Network, { onnx, safetensors }: Omit<WeightFiles, 'pt'>): Promise<void> {
  const { initialWeights, resnext, setWeights } = await import('resnext');
  const { writeOnnxFile } = await import('resnext/graph');
  const { stateDict, writeSafetensorsFile } = await import('resnext/weights');
  const model = resnext(config);
  const weights = initialWeights(model, 1);
  setWeights(model, weights);
  await writeSafetensorsFile(safetensors, stateDict(model, weights));
  await writeOnnxFile(onnx, model.graph);
}
