/**
 * Trains a small ResNeXt on the images in `examples/images`, in a minute or two, and prints its progress. The run
 * folder then contains the model, its metrics and checkpoints. Ctrl-C ends the run after the current step.
 *
 *   npx tsx examples/train.ts [run folder] [epochs] [folder of images]
 */
import { fileURLToPath } from 'node:url';
import { type TrainEvent, train } from 'resnext';

const bundled = fileURLToPath(new URL('images', import.meta.url));
const [out = 'runs/example', epochs = '8', data = bundled] = process.argv.slice(2);

function report(event: TrainEvent): void {
  if (event.event === 'start') console.log(`${event.train} images of ${event.classes.join(', ')}`);
  if (event.event !== 'epoch') return;
  const { epoch, loss, validation, seconds } = event;
  const top1 = validation?.top1.toFixed(1);
  console.log(`epoch ${epoch}: loss ${loss.toFixed(3)}, validation top-1 ${top1} %, ${seconds.toFixed(1)} s`);
}

const stop = new AbortController();
process.once('SIGINT', () => stop.abort());

const { best, interrupted } = await train(
  { data, out, variant: 'resnext11_8x16d_w16', epochs: Number(epochs), learningRate: 0.1 },
  { onEvent: report, signal: stop.signal },
);
console.log(
  interrupted ? `Interrupted. Continue with resume('${out}').` : `Best top-1: ${best?.toFixed(1)} %, in ${out}`,
);
