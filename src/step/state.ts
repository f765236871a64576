/**
 * The state passed from one training step to the next: parameters, the optimizer's vectors for each (slots), running
 * statistics, and averages of parameters and statistics. In a step, each of its tensors is flat, [n].
 *
 *   input "w"              output "w.next"              the parameter, or the running statistic
 *   input "w.momentum"     output "w.momentum.next"     the slot "momentum" of the parameter "w"
 *   input "w.average"      output "w.average.next"      the average of "w"
 */

/** One tensor of the state. */
export interface StateSpec {
  /** Name of the graph input. */
  readonly name: string;
  /** Name of the graph output with its next value. */
  readonly next: string;
  readonly length: number;
  /** The parameter or statistic that this tensor is, or belongs to. */
  readonly parameter: string;
  readonly role: 'parameter' | 'slot' | 'statistic' | 'average';
  /** The name of the optimizer's slot, if the role is 'slot'. Slots are initially zero. */
  readonly slot?: string;
}

export const nextName = (name: string): string => `${name}.next`;
export const slotName = (parameter: string, slot: string): string => `${parameter}.${slot}`;
export const averageName = (parameter: string): string => `${parameter}.average`;
export const gradientName = (parameter: string): string => `${parameter}.gradient`;
