/** The operator sets that a model imports. */
import type { ModelProto } from './generated/onnx_pb.ts';

/** Version of each operator set. ONNX's own has two names, and files from before operator sets mean version 1. */
export function opsetsOf(model: ModelProto): Map<string, number> {
  if (model.opsetImport.length === 0) return new Map([['', 1]]);
  return new Map(model.opsetImport.map(({ domain, version }) => [ownDomain(domain), Number(version)]));
}

export const ownDomain = (domain: string): string => (domain === 'ai.onnx' ? '' : domain);
