/**
 * Grouped two-dimensional convolution and its gradients, by definition, in float64.
 *
 * With G groups, input channels C, filters M, group g owns channels [g·C/G, (g+1)·C/G) and filters [g·M/G, (g+1)·M/G):
 *
 *   y[n, m, i, j] = b[m] + Σ_c Σ_p Σ_q  w[m, c, p, q] · x[n, g·C/G + c, i·s + p·d − pad, j·s + q·d − pad]
 *
 * Every product x·w in this sum is one tap. All three computations visit the same taps: the forward pass adds x·w to y,
 * the input gradient adds dy·w to dx, and the weight gradient adds dy·x to dw. (ONNX Conv; paper, section 3.)
 */
import { UsageError } from '../errors.ts';
import type { Window } from './window.ts';

/** Offsets of one tap in x, w and y. */
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
  if (x.length !== 4 || w.length !== 4)
    throw new UsageError(`only two-dimensional maps are supported, but the input has shape [${x}].`);
  const [batch, channels] = x as [number, number];
  const [filters, perGroup] = w as [number, number];
  const filtersPerGroup = filters / group;
  const planes = eachTapOfPlanes(x, w, window, tap);
  for (let n = 0; n < batch; n++) {
    for (let m = 0; m < filters; m++) {
      const firstChannel = Math.floor(m / filtersPerGroup) * perGroup;
      for (let c = 0; c < perGroup; c++) planes(n * channels + firstChannel + c, m * perGroup + c, n * filters + m);
    }
  }
}

/** Visits the taps between one plane of x, one plane of a filter and one plane of y, given by their offsets. */
function eachTapOfPlanes(x: readonly number[], w: readonly number[], window: Window, tap: Tap): Tap {
  const [, , height, width] = x as [number, number, number, number];
  const [, , kernelHeight, kernelWidth] = w as [number, number, number, number];
  const [outHeight, outWidth] = window.output as [number, number];
  const [strideDown, strideAcross] = window.strides as [number, number];
  const [dilationDown, dilationAcross] = window.dilations as [number, number];
  const [top, left] = window.begin as [number, number];
  return (xPlane, wPlane, yPlane) => {
    for (let p = 0; p < kernelHeight; p++) {
      for (let q = 0; q < kernelWidth; q++) {
        const wAt = (wPlane * kernelHeight + p) * kernelWidth + q;
        for (let i = 0; i < outHeight; i++) {
          const row = i * strideDown + p * dilationDown - top;
          if (row < 0 || row >= height) continue;
          for (let j = 0; j < outWidth; j++) {
            const column = j * strideAcross + q * dilationAcross - left;
            if (column < 0 || column >= width) continue;
            tap((xPlane * height + row) * width + column, wAt, (yPlane * outHeight + i) * outWidth + j);
          }
        }
      }
    }
  };
}
