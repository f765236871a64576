/** The same with plain ONNX Runtime and sharp, with manual preprocessing: node start-plain.js MODEL.onnx IMAGE. */
import * as ort from 'onnxruntime-node';
import sharp from 'sharp';

const [model, image] = process.argv.slice(2);
const session = await ort.InferenceSession.create(model!);
const middle = { left: 16, top: 16, width: 224, height: 224 };
const bytes = await sharp(image).resize(256, 256, { fit: 'cover' }).extract(middle).raw().toBuffer(); // [224, 224, 3]
const pixels = new Float32Array(3 * 224 * 224); // [3, 224, 224]
const [mean, std] = [
  [0.485, 0.456, 0.406],
  [0.229, 0.224, 0.225],
];
for (let c = 0; c < 3; c++) {
  for (let i = 0; i < 224 * 224; i++) pixels[c * 224 * 224 + i] = (bytes[3 * i + c]! / 255 - mean[c]!) / std[c]!;
}
const { logits } = await session.run({ input: new ort.Tensor('float32', pixels, [1, 3, 224, 224]) });
const scores = logits!.data as Float32Array;
console.log(`class ${scores.indexOf(Math.max(...scores))}`);
