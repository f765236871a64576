import { expect, test, vi } from 'vitest';
import { Classifier } from '../classifier/classifier.ts';
import { preprocessingFor } from '../data/presets.ts';
import { initialWeights } from '../model/init.ts';
import { resnext } from '../model/resnext.ts';
import { variant } from '../model/variants.ts';
import { resolveTrainOptions } from './check-options.ts';
import { ImageFolderData } from './training-data.ts';

test('validation runs on the providers and threads of the training', async () => {
  const model = resnext({ ...variant('resnext11_4x16d_w16'), classes: 2 });
  const preprocessing = preprocessingFor({ images: 'small', size: 32 });
  const description = { variant: 'small', config: model.config, classes: ['a', 'b'], preprocessing, metrics: {} };
  const samples = [{ path: 'a.png', label: 0 }];
  const folder = { classes: ['a', 'b'], train: samples, validation: samples };
  const options = resolveTrainOptions({ data: '.', out: 'run', threads: 1, providers: ['webgpu', 'cpu'], workers: 0 });
  const open = vi.spyOn(Classifier, 'open').mockRejectedValue(new Error('opened'));
  const data = new ImageFolderData(options, folder, model, description);
  await expect(data.validate(initialWeights(model, 1), () => {})).rejects.toThrow('opened');
  expect(open.mock.calls[0]![1]).toEqual({ threads: 1, providers: ['webgpu', 'cpu'] });
  await data.close();
});
