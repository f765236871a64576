/**
 * Decoding in worker threads and the network in batches, one after the other: prints images per second, and milliseconds of CPU
 * time per image.
 *
 *   bare.ts MODEL FOLDER BATCH THREADS SECONDS
 */
import { load } from 'resnext';
import { filesIn } from './files.ts';

const [model = '', folder = '', batch, threads, seconds] = process.argv.slice(2);
const classifier = await load(model, { threads: Number(threads) });
const files = filesIn(folder);
const batchSize = Number(batch);
const batches = (n: number) => Array.from({ length: n * batchSize }, (_, i) => files[i % files.length]!);
await classifier.classify(batches(1), { batchSize }); // starts the threads
const before = performance.now();
await classifier.classify(batches(2), { batchSize });
const inTime = (2000 * Number(seconds)) / (performance.now() - before);
/** So long that its end does not matter, but for networks that take longer for it than there is time. */
const list = batches(Math.min(64, Math.max(2, Math.round(inTime))));
const start = performance.now();
const cpuBefore = process.cpuUsage();
let count = 0;
const elapsed = () => (performance.now() - start) / 1000;
while (elapsed() < Number(seconds)) {
  await classifier.classify(list, { batchSize });
  count += list.length;
}
const { user, system } = process.cpuUsage(cpuBefore);
console.log(JSON.stringify({ rate: count / elapsed(), cpu: (user + system) / 1000 / count }));
await classifier.dispose();
