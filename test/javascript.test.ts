/** What somebody can pass wrongly to each public function where TypeScript does not look, and the sentence that it gets. */
import * as everything from 'resnext';
import * as data from 'resnext/data';
import * as graphs from 'resnext/graph';
import * as serving from 'resnext/serve';
import * as training from 'resnext/train';
import * as weights from 'resnext/weights';
import { expect, it } from 'vitest';

const doors = { ...everything, ...data, ...graphs, ...training, ...weights, ...serving };
const model = doors.resnext({ depths: [1, 1], cardinality: 2, baseWidth: 16, width: 16, stem: 'cifar', classes: 3 });
const values = doors.initialWeights(model, 1);
const { graph, config } = model;
const x = doors.tensor('float32', [1, 2, 4, 4]);
const w = doors.tensor('float32', [2, 1, 3, 3]);
const saved = { description: {}, graph };

it.each<[keyof typeof doors, readonly unknown[], string]>([
  // resnext
  ['load', [5], 'nameOrFile is 5, but expected the path or the name of a model, or a URL.'],
  ['load', ['x.pth', { thread: 1 }], 'There is no option "thread". Did you mean threads?'],
  ['load', ['x.pth', { signal: 1 }], 'signal is 1, but expected an AbortSignal.'],
  ['pull', [{}], 'name is {}, but expected the name of published weights'],
  ['pull', ['resnext50_32x4d', { retry: 1 }], 'There is no option "retry". Did you mean retries?'],
  ['train', [], 'The options are undefined, but expected an object with data, '],
  ['train', [{ data: 'x', out: 'y', lr: 1 }], 'There is no option "lr". Did you mean learningRate?'],
  ['train', [{ data: 'x', out: 'y', batchSize: 1 }], 'There is no option "batchSize". Did you mean batch?'],
  ['train', [{ data: 'x', out: 'y' }, { onEpoch: 1 }], 'There is no option "onEpoch".'],
  ['resume', [], 'out is required: expected a path.'],
  ['resume', ['runs/x', { epoch: 3 }], 'There is no option "epoch". Did you mean epochs?'],
  ['loadModel', [null], 'path is null, but expected a path.'],
  ['loadModel', ['x', { channels: 1 }], 'There is no option "channels".'],
  ['saveModel', ['x'], 'description is required: expected a description'],
  ['exportOnnx', [saved, 'x.onnx'], 'path is an object, but expected a path.'],
  [
    'exportOnnx',
    ['x.onnx', Promise.resolve(saved)],
    'model is a Promise, which has to be awaited, but expected a model',
  ],
  ['exportOnnx', ['x.onnx', saved, { soft_max: true }], 'There is no option "soft_max". Did you mean softmax?'],
  ['exportStateDict', ['x', 5], 'model is 5, but expected a model, as loadModel returns.'],
  ['exportTransformers', ['x', saved, { external: 5 }], 'There is no option "external". Did you mean externalAbove?'],
  ['readModel', [5], 'source is 5, but expected a URL, a Blob, an ArrayBuffer or a Uint8Array.'],
  ['readModel', [new Uint8Array(1), { title: 'x' }], 'There is no option "title". The options are lazy,'],
  ['withClasses', [graph, 3], 'model is a Graph, but expected a model, as loadModel returns.'],
  ['withChannels', ['x', 3], 'model is "x", but expected a model'],
  ['convert', [saved, 'D'], 'form is "D", but expected A, B or C.'],
  ['resnext', [{ depth: [1] }], 'There is no option "depth". Did you mean depths?'],
  [
    'resnext',
    ['resnext50_32x4d'],
    'The options are "resnext50_32x4d", but expected an object with depths, cardinality,',
  ],
  ['resnext', [{ cardinality: '32' }], 'cardinality is "32", but expected a whole number of at least 1.'],
  ['resnext', [{ inputSize: '224' }], 'inputSize is "224", but expected a number, or a pair of numbers.'],
  ['variant', [50], 'name is 50, but expected the name of a variant, such as resnext50_32x4d.'],
  ['variantName', ['x'], 'config is "x", but expected a config'],
  ['initialWeights', [graph, 1], 'model is a Graph, but expected a network, as resnext() returns.'],
  ['initialWeights', [model, '1'], 'seed is "1", but expected a whole number.'],
  ['setWeights', [model, {}], 'weights is {}, but expected a Map.'],
  ['verify', [model, values], 'config is an object, but expected a config, such as that of resnext().'],
  ['verify', [config, values, { run: 1 }], 'There is no option "run". Did you mean runs?'],
  ['drawBlock', [model], 'but expected a graph.'],
  ['drawBlock', [graph, 'layer1.0', { detail: true }], 'There is no option "detail". Did you mean details?'],
  ['drawBlock', [graph, 'layer1.0', { theme: 'black' }], 'theme is "black", but expected auto, light or dark.'],
  // resnext/data
  ['decode', [], 'input is required: expected a path, an ArrayBuffer or a Uint8Array.'],
  ['readImage', [7], 'image is 7, but expected a path, a URL'],
  ['openFolder', [], 'dir is required: expected a path.'],
  ['openFolder', ['x', { validate: 0.1 }], 'There is no option "validate". Did you mean validation?'],
  ['openClasses', ['x', 'cat'], 'classes is "cat", but expected an array, with a name each.'],
  ['evaluationTransforms', [{}], 'preprocessing is {}, but expected a preprocessing, such as imagenetPreprocessing.'],
  [
    'trainTransforms',
    [doors.imagenetPreprocessing, 'none'],
    'augmentation is "none", but expected pad-and-crop, random-resized-crop,',
  ],
  ['preprocessingFor', [{ size: 32 }], 'images is required: expected small or large.'],
  ['resize', ['x.jpg', 1, 1, 'bilinear'], 'image is "x.jpg", but expected pixels'],
  ['applyTransforms', [[{ kind: 'blur' }]], 'steps[0] is {"kind":"blur"}, but expected a step with a kind: '],
  // resnext/graph
  ['readOnnxFile', [], 'path is required: expected a path.'],
  ['writeOnnxFile', ['x.onnx', model], 'but expected a graph.'],
  ['readOnnx', ['x.onnx'], 'bytes is "x.onnx", but expected a Uint8Array.'],
  ['writeOnnx', [model], 'but expected a graph.'],
  ['benchmark', [model], 'but expected a graph.'],
  ['benchmark', [graph, { batchSize: 1 }], 'There is no option "batchSize". Did you mean batch?'],
  ['tune', [graph, { batch: '1' }], 'batch is "1", but expected a whole number of at least 1.'],
  ['compareGraphs', [graph], 'b is required: expected a graph.'],
  ['verifyGraph', [model], 'but expected a graph.'],
  ['interpret', [graph, {}], 'feeds is {}, but expected a Map.'],
  ['lowerInference', [graph, { blocks: 16 }], 'There is no option "blocks". Did you mean block?'],
  ['stageGraph', [graph, 'layer1'], 'stages is "layer1", but expected an array, with a name each.'],
  ['cost', [model], 'but expected a graph.'],
  ['toText', ['x.onnx'], 'graph is "x.onnx", but expected a graph.'],
  ['inferShapes', [model], 'but expected a graph.'],
  ['lowerStandard', [model], 'but expected a graph.'],
  ['gradient', [graph, 'loss', []], 'loss is "loss", but expected a value of the graph.'],
  ['convertGraph', [graph, 'D'], 'form is "D", but expected A, B or C.'],
  ['optimizeGraph', ['x.onnx'], 'source is "x.onnx", but expected a graph.'],
  ['tensor', ['float', [1]], 'dtype is "float", but expected float32, float64,'],
  ['tensor', ['float32', [2], [1, 2]], 'data is [1,2], but expected a typed array.'],
  ['convolution', [x], 'w is required: expected a tensor.'],
  ['convolution', [x, w, { group: 2 }], 'There is no option "group". Did you mean groups?'],
  [
    'convolution',
    [x, w, { stride: '2' }],
    'stride is "2", but expected a whole number of at least 1, or a pair of them.',
  ],
  ['runConvolution', [x, w, { thread: 1 }], 'There is no option "thread". Did you mean threads?'],
  ['drawGroupedConvolution', [{ inputs: 8 }], 'There is no option "inputs". Did you mean input?'],
  ['drawTwoVectors', [{ a: 5 }], 'a is 5, but expected a non-empty list of numbers.'],
  // resnext/weights
  ['resolveModel', [5], 'nameOrPath is 5, but expected a path.'],
  ['openStateDict', [], 'path is required: expected a path.'],
  ['readSafetensors', ['x'], 'bytes is "x", but expected a Uint8Array.'],
  ['writeSafetensors', [{}], 'tensors is {}, but expected a Map.'],
  ['writeSafetensorsFile', ['x', {}], 'tensors is {}, but expected a Map.'],
  ['bytesSource', [new ArrayBuffer(2)], 'bytes is an ArrayBuffer, but expected a Uint8Array.'],
  ['findWeights', [5], 'name is 5, but expected a name.'],
  ['importWeights', [{}], 'tensors is {}, but expected a Map.'],
  ['importWeights', [values, { num_classes: 2 }], 'There is no option "num_classes". Did you mean classes?'],
  ['fromStateDict', [{ tensors: values, notes: [] }, { channels: 1 }], 'There is no option "channels".'],
  ['readHubConfig', [{}], 'text is {}, but expected the text of a config.json.'],
  ['readLabels', ['x'], 'bytes is "x", but expected a Uint8Array.'],
  // resnext/train
  ['trainingStep', [graph, { batch: 2 }], 'optimizer is required: expected an optimizer'],
  ['trainingStep', [graph, { batch: 2, optimizer: 'sgd' }], 'optimizer is "sgd", but expected an optimizer'],
  ['optimizerOf', ['adam'], 'name is "adam", but expected sgd, adamw, lamb or rmsprop.'],
  ['optimizerOf', ['sgd', { momentun: 1 }], 'There is no option "momentun". Did you mean momentum?'],
  // resnext/serve
  ['createBatcher', [5], 'model is 5, but expected the path or the name of a model, or a URL, or a model in memory.'],
  ['createBatcher', ['runs/a', { batch: 8 }], 'There is no option "batch".'],
  ['createBatcher', ['runs/a', { maxQueue: 0 }], 'maxQueue is 0, but expected a whole number of at least 1.'],
  ['serve', [{ model: 'runs/a' }], 'There is no option "model". Did you mean models?'],
  ['serve', [{ models: 'runs/a' }], 'models is "runs/a", but expected an object from names to models.'],
  [
    'serve',
    [{ models: { a: 5 } }],
    'models.a is 5, but expected the path or the name of a model, or a URL, or a model in memory.',
  ],
  ['serve', [{ port: 70_000 }], 'port is 70000, but expected a whole number from 0 to 65535.'],
])('%s %#', async (name, args, message) => {
  const call = async () => Reflect.apply(doors[name] as () => unknown, undefined, args);
  await expect(call()).rejects.toThrow(doors.UsageError);
  await expect(call()).rejects.toThrow(message);
});

it('sessions and trainers are checked, too', async () => {
  const { Session, Trainer } = doors;
  const open = (...args: unknown[]) => Reflect.apply(Session.open, Session, args) as Promise<unknown>;
  await expect(open(graph, { thread: 1 })).rejects.toThrow('There is no option "thread". Did you mean threads?');
  await expect(open(5)).rejects.toThrow('model is 5, but expected a graph, the bytes of an ONNX file, or its path.');
  const start = (...args: unknown[]) => Reflect.apply(Trainer.open, Trainer, args) as Promise<unknown>;
  const optimizer = doors.optimizerOf('sgd');
  await expect(start(model, values, { batch: 1, optimizer, lr: 1 })).rejects.toThrow('There is no option "lr".');
  await expect(start(graph, values, { batch: 1, optimizer })).rejects.toThrow('model is a Graph, but');
});
