/**
 * The parts of the page. Each is a chunk of its own, which loads when its part is chosen. To add a part, add its row: the
 * name in the address, the title in the navigation, and the module whose `Part` draws it.
 */
import type { ComponentType } from 'preact';
import type { Fields } from './address.ts';

export interface PartProps {
  /** The state of the part in the address that was opened: a new object each time one is. Not checked. */
  readonly fields: Fields;
  /** Writes the state to the address, which then does not count as opened. */
  readonly onFields: (fields: Fields) => void;
}

export interface PartEntry {
  readonly name: string;
  readonly title: string;
  readonly load: () => Promise<{ readonly Part: ComponentType<PartProps> }>;
}

export const parts: readonly PartEntry[] = [
  { name: 'explore', title: 'Explore', load: () => import('./explore/explore.tsx') },
  { name: 'classify', title: 'Classify', load: () => import('./classify/classify.tsx') },
  { name: 'train', title: 'Train', load: () => import('./train/train.tsx') },
  { name: 'convert', title: 'Convert', load: () => import('./convert/convert.tsx') },
];
