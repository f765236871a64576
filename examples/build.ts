/**
 * Builds a ResNeXt in the three forms of the paper (Figure 3) with the same weights, and shows that they are the same
 * function: the same size and the same logits.
 *
 *   npx tsx examples/build.ts [variant]
 */
import { forms, initialWeights, resnext, setWeights, variant } from 'resnext';
import { cost, Session, tensor } from 'resnext/graph';

const [name = 'resnext50_32x4d'] = process.argv.slice(2);

const weights = initialWeights(resnext(variant(name)), 1);
const results: Float32Array[] = [];
for (const form of forms) {
  const model = resnext({ ...variant(name), form });
  setWeights(model, weights);

  const { parameters, macs, nodes } = cost(model.graph);
  console.log(`${name}, form ${form}: ${parameters} parameters, ${macs} multiply-adds, ${nodes} nodes`);

  const { inputChannels, inputSize } = model.config;
  const input = tensor('float32', [1, inputChannels, ...inputSize]); // [N, C, H, W]
  input.data.forEach((_, i) => {
    input.data[i] = Math.sin(i);
  });
  const session = await Session.open(model.graph);
  const { data } = (await session.run(new Map([['input', input]]))).get('logits')!; // [N, K]
  await session.dispose();
  results.push(data as Float32Array);
}

const [a, b, c] = results as [Float32Array, Float32Array, Float32Array];
const difference = (x: Float32Array, y: Float32Array) => Math.max(...x.map((value, k) => Math.abs(value - y[k]!)));
console.log(`Largest logit: ${Math.max(...c.map(Math.abs)).toFixed(3)}`);
console.log(`Largest difference: ${Math.max(difference(a, c), difference(b, c)).toExponential(1)}`);
