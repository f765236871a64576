/** `resnext/train` in Node, where there is no more of it than in a browser. */
export * from './train.ts';
