/** Declarations of operator attributes: each has a kind, in ONNX's terms, and a default. */

export type Kind = 'int' | 'float' | 'ints' | 'floats' | 'string';
export interface KindOf {
  int: number;
  float: number;
  ints: readonly number[];
  floats: readonly number[];
  string: string;
}
export interface Spec<K extends Kind = Kind> {
  readonly kind: K;
  readonly default: KindOf[K];
}

export type Specs = Readonly<Record<string, Spec>>;
type KindOfSpec<S> = S extends Spec<infer K> ? KindOf[K] : never;
/** The values of declared attributes, with defaults filled in. */
export type ValuesOf<S> = { readonly [A in keyof S]: KindOfSpec<S[A]> };

export const int = (value: number): Spec<'int'> => ({ kind: 'int', default: value });
export const float = (value: number): Spec<'float'> => ({ kind: 'float', default: value });
/** An absent list reads as empty. */
export const ints = (): Spec<'ints'> => ({ kind: 'ints', default: [] });
export const string = (value: string): Spec<'string'> => ({ kind: 'string', default: value });
