/** Pictures for TensorBoard, in light colors: a confusion matrix, and a sheet of wrongly predicted images. */

import { confusionMatrix } from '../charts/heatmap.ts';
import { escapeHtml } from '../page.ts';
import { renderSvg } from '../platform/node/render.ts';
import type { EventValue } from './events.ts';

/** A wrongly predicted image on a sheet. */
export interface ShownImage {
  /** A thumbnail as a `data:` URL. */
  readonly thumbnail: string;
  readonly label: string;
  readonly predicted: string;
  /** Of the predicted class. */
  readonly probability: number;
}

/** The rules of a page's matrix, without what renderers of SVG do not know. */
const style = `text { font-family: sans-serif; fill: #1c2128; } .axis { font-size: 13px; fill: #666; }
.frame { fill: none; stroke: #bbb; } .grid { stroke: #e8e8e8; stroke-width: 0.5; }
.correct { fill: #1f6fb2; } .wrong { fill: #d3541f; } .count { text-anchor: middle; } .strong { fill: #fff; }`;

/** @param confusion rows of counts. */
export function confusionPicture(
  tag: string,
  confusion: readonly Uint32Array[],
  labels: readonly string[],
): Promise<EventValue> {
  const svg = confusionMatrix(confusion, labels);
  const width = Number(/viewBox="0 0 ([\d.]+)/.exec(svg)![1]);
  const background = `<style>${style}</style><rect width="100%" height="100%" fill="#fff"/>`;
  const whole = svg
    .replace('<svg ', '<svg xmlns="http://www.w3.org/2000/svg" ')
    .replace(/<svg [^>]*>/, (head) => `${head}${background}`);
  return rendered(tag, whole, Math.min(2, maxWidth / width), 'png');
}

const [side, caption, columns, gap] = [160, 40, 4, 12];

/** Up to twelve images in rows of four, each with its class, the predicted class and its probability. */
export function imagesPicture(tag: string, images: readonly ShownImage[]): Promise<EventValue> {
  const rows = Math.ceil(images.length / columns);
  const [width, height] = [columns * (side + gap) + gap, rows * (side + caption + gap) + gap];
  const cells = images.map(({ thumbnail, label, predicted, probability }, i) => {
    const [x, y] = [gap + (i % columns) * (side + gap), gap + Math.floor(i / columns) * (side + caption + gap)];
    const line = (text: string, at: number) =>
      `<text x="${side / 2}" y="${side + at}">${escapeHtml(shortened(text))}</text>`;
    const share = `${shortened(predicted)} ${(100 * probability).toFixed(0)} %`;
    return `<g transform="translate(${x} ${y})"><image width="${side}" height="${side}" href="${thumbnail}"/>${line(label, 16)}${line(`→ ${share}`, 33)}</g>`;
  });
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">
<style>text { font: 13px sans-serif; text-anchor: middle; fill: #1c2128; }</style><rect width="100%" height="100%" fill="#fff"/>${cells.join('\n')}</svg>`;
  return rendered(tag, svg, 1.5, 'jpeg');
}

const shortened = (label: string): string => (label.length > 18 ? `${label.slice(0, 17)}…` : label);

/** Sharp on dense screens, but no larger than TensorBoard shows. */
const maxWidth = 1200;

async function rendered(tag: string, svg: string, scale: number, format: 'png' | 'jpeg'): Promise<EventValue> {
  const { data, width, height } = await renderSvg(svg, scale, format);
  return { tag, image: data, width, height };
}
