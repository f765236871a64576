/** Where this page has the models that ship with the package. A page may have been built without them. */

const files: Readonly<Record<string, string>> = import.meta.glob('../models/*/model.safetensors', {
  query: '?url',
  import: 'default',
  eager: true,
});

/** The URL of a shipped model; undefined if the page was built without it. */
export const shippedUrl = (name: string): string | undefined => files[`../models/${name}/model.safetensors`];
