/**
 * Graphs, their gradients, rewriting, lowering, ONNX, and sessions that run them.
 * In Node: ONNX files by path as well.
 *
 * @module resnext/graph
 */

export { readOnnxFile, type WriteFileOptions, writeOnnxFile } from '../onnx/files.ts';
export * from './graph.ts';
