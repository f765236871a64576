/** The names of the methods of `graph.ts`. They are here so that options can list them without loading what differentiates. */
export const explainMethods = ['grad-cam', 'cam'] as const;

/** Grad-CAM, or class-activation maps (CAM) of the last stage. */
export type ExplainMethod = (typeof explainMethods)[number];
