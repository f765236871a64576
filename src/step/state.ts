/**
 * The state that training steps hand on: parameters, what the optimizer keeps for each (its slots), running statistics,
 * and averages of parameters and statistics. In a step every tensor of it is flat, [n].
 *
 *   input "w"              output "w.next"              the parameter, or the running statistic
 *   input "w.momentum"     output "w.momentum.next"     the slot "momentum" of the parameter "w"
 *   input "w.average"      output "w.average.next"      the average of "w"
 */

/** One tensor of the state. */
export interface StateSpec {
  /** Name of the graph input. */
  readonly name: string;
  /** Name of the graph output that holds its next value. */
  readonly next: string;
  readonly length: number;
  /** The parameter or statistic that this is, or that this is kept for. */
  readonly parameter: string;
  readonly role: 'parameter' | 'slot' | 'statistic' | 'average';
  /** The name of the optimizer's slot, where it is one. Slots are zero at first. */
  readonly slot?: string;
}

export const nextName = (name: string): string => `${name}.next`;
export const slotName = (parameter: string, slot: string): string => `${parameter}.${slot}`;
export const averageName = (parameter: string): string => `${parameter}.average`;
export const gradientName = (parameter: string): string => `${parameter}.gradient`;
