/** The exports of `resnext`, by name, and that its browser entry point does not need Node. */
import { readFileSync } from 'node:fs';
import * as node from 'resnext';
import { expect, it } from 'vitest';
import * as browser from '../dist/index.js';

const dist = new URL('../dist/', import.meta.url);

it('the browser entry point', () => {
  expect(Object.keys(browser).sort()).toMatchInlineSnapshot(`
    [
      "Builder",
      "FormatError",
      "Graph",
      "Node",
      "Session",
      "Trainer",
      "UsageError",
      "Value",
      "adaptStem",
      "applyTransforms",
      "augmentations",
      "availableProviders",
      "blockNames",
      "bytesSource",
      "cifar100Classes",
      "cifar10Classes",
      "cifarPreprocessing",
      "convertGraph",
      "convolution",
      "convolutionGradient",
      "cost",
      "describeReport",
      "drawBlock",
      "drawGroupedConvolution",
      "drawTwoVectors",
      "evaluationTransforms",
      "findWeights",
      "forms",
      "gatherWeights",
      "gradient",
      "imagenetClasses",
      "imagenetPreprocessing",
      "importWeights",
      "inferShapes",
      "initialHead",
      "initialWeights",
      "interpret",
      "labelsOf",
      "layoutNames",
      "lowerInference",
      "lowerStandard",
      "optimizeGraph",
      "preprocessingFor",
      "preprocessingWarning",
      "publishedWeights",
      "readModel",
      "readOnnx",
      "readSafetensors",
      "readSharded",
      "readStateDict",
      "recognize",
      "resize",
      "resnext",
      "runConvolution",
      "runConvolutionGradient",
      "sampleRandom",
      "scatterWeights",
      "setWeights",
      "stageGraph",
      "stageNames",
      "stateDict",
      "tensor",
      "thisMachine",
      "toFloat32",
      "toText",
      "trainTransforms",
      "trainedParameters",
      "trainingStep",
      "transforms",
      "variant",
      "variantName",
      "variants",
      "weightSpecs",
      "weightsOfFile",
      "writeOnnx",
      "writeSafetensors",
      "writeStateDict",
    ]
  `);
});

it('the Node entry point adds', () => {
  const added = Object.keys(node).filter((name) => !(name in browser));
  expect(added.sort()).toMatchInlineSnapshot(`
    [
      "Classifier",
      "Loader",
      "benchmark",
      "compareGraphs",
      "convert",
      "decode",
      "exportOnnx",
      "exportStateDict",
      "exportTransformers",
      "fileSource",
      "fromStateDict",
      "hubEnvironment",
      "load",
      "loadModel",
      "mostConfused",
      "openClasses",
      "openFolder",
      "openStateDict",
      "pull",
      "readHubConfig",
      "readImage",
      "readOnnxFile",
      "readSafetensorsFile",
      "resolveModel",
      "resume",
      "saveModel",
      "train",
      "tune",
      "verify",
      "verifyGraph",
      "withChannels",
      "withClasses",
      "writeHubConfig",
      "writeOnnxFile",
      "writeSafetensorsFile",
    ]
  `);
  expect(Object.keys(node)).toEqual(expect.arrayContaining(Object.keys(browser)));
});

/** The static and dynamic imports of a compiled module. */
const importsOf = (file: URL): string[] =>
  [...readFileSync(file, 'utf8').matchAll(/(?:\bfrom |^import |\bimport\()'([^']+)'\)?;?/gm)].map(([, name]) => name!);

const packageOf = (name: string): string => /^(?:@[^/]+\/)?[^/]+/.exec(name)![0];

/** The packages that a module needs on a platform, directly or through other modules. */
function packagesOf(entry: string, platform: 'node' | 'web'): string[] {
  const packages = new Set<string>();
  const modules = new Set([new URL(entry, dist).href]);
  for (const module of modules) {
    for (const name of importsOf(new URL(module))) {
      if (name === '#platform') modules.add(new URL(`platform/${platform}.js`, dist).href);
      else if (name.startsWith('.')) modules.add(new URL(name, module).href);
      else packages.add(packageOf(name));
    }
  }
  return [...packages].sort();
}

it('the browser entry point does not need Node modules, sharp or onnxruntime-node', () => {
  expect(packagesOf('index.js', 'web')).toEqual(['@bufbuild/protobuf', '@zip.js/zip.js', 'pure-rand', 'zod']);
  expect(packagesOf('node.js', 'node')).toEqual(expect.arrayContaining(['node:fs', 'onnxruntime-node', 'sharp']));
});
