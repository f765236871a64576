/** The options of `evaluate`, some of which are those of training. */
import { text, whole } from '../../options.ts';
import { recipe, settings } from '../../train/options.ts';
import { batchOfViews, json, model, report, tta } from './shared.ts';

export const evaluateOptions = {
  dir: text({
    required: true,
    expected: 'a folder of images',
    example: 'flowers',
    flag: '<dir>',
    doc: 'folder with one subfolder per class, or one that contains val/; or another dataset',
  }),
  imageColumn: recipe.imageColumn,
  labelColumn: recipe.labelColumn,
  ...model,
  batch: whole({ from: 1, default: 64, flag: '--batch <n>', group: 'Machine', doc: batchOfViews }),
  tta,
  strict: settings.strict,
  report: { ...report, doc: 'write an HTML report: confusion matrix, classes, calibration, misclassified images' },
  output: text({
    expected: 'a file to write',
    flag: '-o, --output <file>',
    group: 'Output',
    doc: 'write the prediction for each image to a .csv or .jsonl file',
    written: true,
  }),
  json,
};
