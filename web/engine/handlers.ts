/** Who answers each request. What a part needs is loaded with its first request. */
import { browserStore } from '../train/store.ts';
import type { Handler, Kind } from './protocol.ts';

export const handlers: { readonly [K in Kind]: Handler<K> } = {
  prove: async (choice, report) => (await import('../explore/proof.ts')).prove(choice, report),
  openModel: async (choice, report) => (await import('../classify/model.ts')).openModel(choice, report),
  classify: async (picture) => (await import('../classify/model.ts')).classify(picture),
  look: async (choice) => (await import('../classify/model.ts')).look(choice),
  fineTune: async (choice, report) => (await import('../train/fine-tune.ts')).fineTune(choice, browserStore, report),
  optimize: async (choice, report) => (await import('../convert/optimize.ts')).optimize(choice, report),
  drawBlocks: async (choice) => (await import('../convert/optimize.ts')).drawBlocks(choice),
  exportModel: async (choice) => (await import('../train/fine-tune.ts')).exportModel(choice, browserStore),
};
