/**
 * Grouped two-dimensional convolution and its gradients, by definition, in float64.
 *
 * With G groups, input channels C, filters M, group g owns channels [g·C/G, (g+1)·C/G) and filters [g·M/G, (g+1)·M/G):
 *
 *   y[n, m, i, j] = b[m] + Σ_c Σ_p Σ_q  w[m, c, p, q] · x[n, g·C/G + c, i·s + p·d − pad, j·s + q·d − pad]
 *
 * Every product x·w that makes a y is one tap. The three computations go over the same taps: forward adds x·w to y, the
 * gradient by the input adds dy·w to dx, the gradient by the weight adds dy·x to dw. (ONNX Conv; paper section 3.)
 */
import { UsageError } from '../errors.ts';
import type { Window } from './window.ts';

/** Offsets of one tap in the flat data of x, w and y. */
export type Tap = (x: number, w: number, y: number) => void;

interface Maps {
  /** [N, C, H, W] */
  readonly x: readonly number[];
  /** [M, C/G, kh, kw] */
  readonly w: readonly number[];
  readonly group: number;
  readonly window: Window;
}

/** Calls `tap` for every product of a grouped convolution. */
export function eachTap({ x, w, group, window }: Maps, tap: Tap): void {
  if (x.length !== 4 || w.length !== 4) throw new UsageError(`only maps of two dimensions are evaluated, not [${x}].`);
  const [batch, channels] = x as [number, number, number, number];
  const [filters, perGroup] = w as [number, number, number, number];
  const [outHeight, outWidth] = window.output as [number, number];
  const filtersPerGroup = filters / group;
  for (let n = 0; n < batch; n++) {
    for (let m = 0; m < filters; m++) {
      const firstChannel = Math.floor(m / filtersPerGroup) * perGroup;
      for (let c = 0; c < perGroup; c++) {
        const plane = n * channels + firstChannel + c;
        eachTapOfPlane(x, w, window, plane, m * perGroup + c, (n * filters + m) * outHeight * outWidth, tap);
      }
    }
  }
}

/** The taps between one input plane, one plane of a filter and one output plane. */
function eachTapOfPlane(
  [, , height, width]: readonly number[],
  [, , kernelHeight, kernelWidth]: readonly number[],
  { strides, dilations, begin, output }: Window,
  xPlane: number,
  wPlane: number,
  yOffset: number,
  tap: Tap,
): void {
  const [outHeight, outWidth] = output as [number, number];
  for (let p = 0; p < kernelHeight!; p++) {
    for (let q = 0; q < kernelWidth!; q++) {
      const w = (wPlane * kernelHeight! + p) * kernelWidth! + q;
      for (let i = 0; i < outHeight; i++) {
        const row = i * strides[0]! + p * dilations[0]! - begin[0]!;
        if (row < 0 || row >= height!) continue;
        for (let j = 0; j < outWidth; j++) {
          const column = j * strides[1]! + q * dilations[1]! - begin[1]!;
          if (column < 0 || column >= width!) continue;
          tap((xPlane * height! + row) * width! + column, w, yOffset + i * outWidth + j);
        }
      }
    }
  }
}
