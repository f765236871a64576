import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { UsageError } from '../errors.ts';
import { RunFolder } from './run-folder.ts';

test('metrics that cannot be written are a sentence', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'resnext-metrics-'));
  const folder = await RunFolder.forNew(dir, false);
  const path = join(dir, 'metrics.jsonl');
  mkdirSync(path);
  const line = {
    event: 'epoch',
    epoch: 1,
    epochs: 1,
    loss: 1,
    top1: 1,
    learningRate: 0.1,
    seconds: 1,
    corrupt: 0,
    best: true,
  } as const;
  await expect(folder.appendMetrics(line)).rejects.toThrow(
    new UsageError(`Cannot write "${path}": it is a folder (EISDIR).`),
  );
  await folder.close();
  rmSync(dir, { recursive: true });
});
