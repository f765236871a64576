/**
 * The parts of the page. Each is a chunk of its own, which loads when its part is chosen. To add a part, add its row: the
 * name in the address, the title in the navigation, and the module whose `Part` draws it.
 */
import type { ComponentType } from 'preact';
import type { Fields } from './address.ts';

export interface PartProps {
  /** The state of the part, as its address has it. Not checked. */
  readonly fields: Fields;
  /** Replaces the state in the address. */
  readonly onFields: (fields: Fields) => void;
}

export interface PartEntry {
  readonly name: string;
  readonly title: string;
  readonly load: () => Promise<{ readonly Part: ComponentType<PartProps> }>;
}

export const parts: readonly PartEntry[] = [
  { name: 'explore', title: 'Explore', load: () => import('./explore/explore.tsx') },
];
