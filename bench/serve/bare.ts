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
/** A list so long that its end does not matter. */
const list = Array.from({ length: 64 * batchSize }, (_, n) => files[n % files.length]!);
await classifier.classify(list, { batchSize }); // starts the threads
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
