/**
 * Names for classes that have none.
 *
 * @example defaultClassNames(2) // ['class 0', 'class 1']
 */
export const defaultClassNames = (count: number): string[] => Array.from({ length: count }, (_, k) => `class ${k}`);
