/**
 * Class names in the order of the outputs of published classifiers: ImageNet-1k in `imagenet.ts`, CIFAR and SVHN here,
 * spelled as in the data sets. The names of ImageNet-12k's 11,821 classes are not included.
 */
import type { LabelSet } from './entry.ts';
import { imagenetClasses } from './imagenet.ts';

const words = (text: string): readonly string[] => text.trim().split(/\s+/);

/** CIFAR-10's class names, by class index. */
export const cifar10Classes: readonly string[] = words('airplane automobile bird cat deer dog frog horse ship truck');

/** CIFAR-100's fine class names, by class index. */
export const cifar100Classes: readonly string[] = words(`
  apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
  caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish
  forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle
  mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine
  possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
  sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle wardrobe whale
  willow_tree wolf woman worm
`);

const names: Readonly<Partial<Record<LabelSet, readonly string[]>>> = {
  'imagenet-1k': imagenetClasses,
  'cifar-10': cifar10Classes,
  'cifar-100': cifar100Classes,
  svhn: words('0 1 2 3 4 5 6 7 8 9'),
};

/**
 * Class names of published weights in the order of the outputs, or undefined if they are not included.
 *
 * @example labelsOf(findWeights('resnext50_32x4d'))?.[281] // 'tabby'
 */
export const labelsOf = ({ labels }: { readonly labels: LabelSet }): readonly string[] | undefined => names[labels];
