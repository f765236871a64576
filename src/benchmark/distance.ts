/** The relative difference of two tensors. */
import type { Tensor } from '../tensor.ts';

/** ‖a − b‖ / ‖a‖, or 0 if the tensors are equal. */
export function relativeDifference({ data: a }: Tensor, { data: b }: Tensor): number {
  let [difference, size] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    difference += (Number(a[i]) - Number(b[i])) ** 2;
    size += Number(a[i]) ** 2;
  }
  return difference === 0 ? 0 : Math.sqrt(difference / size);
}
