/**
 * What the cards of the shipped models say that cannot be measured: what each is for, where its images are from and on what
 * terms, and what it cannot do. Figures are not here; `make.ts` measures them.
 */
import type { RecipeName } from 'resnext';

export interface About {
  readonly recipe: RecipeName;
  /** The model that training starts from, if any. */
  readonly from?: string;
  /** The folder of the dataset in commands. */
  readonly dataset: string;
  readonly title: string;
  /** The images that it is evaluated on, in the words of the dataset. */
  readonly evaluated: 'test images' | 'validation images';
  /** Below the title. */
  readonly purpose: string;
  /** TypeScript and shell examples of its use. */
  readonly use: string;
  /** What the images are, and how these differ from what is published. */
  readonly data: string;
  /** What is known of the terms of the images. */
  readonly terms: string;
  readonly limits: readonly string[];
  /** Groups of classes, where there are too many for a matrix. */
  readonly groups?: Readonly<Record<string, string>>;
}

export const about: Readonly<Record<string, About>> = {
  cifar10: {
    recipe: 'cifar10-default',
    from: 'bench/models/start/cifar10',
    dataset: 'cifar10',
    evaluated: 'test images',
    title: 'cifar10: ten kinds of things in small images',
    purpose:
      'The default model of this package: `resnext classify`, `features`, `evaluate`, `explain` and `bench` use it where no other is named. It is small enough to come with the package and good enough to try everything with; for photos of more than ten kinds of things, use [published weights](../../docs/checkpoints.md) or train your own.',
    use: '$ resnext classify cat.jpg\n$ resnext train photos --from cifar10 --out runs/photos      # small photos',
    data: 'CIFAR-10 (Alex Krizhevsky, Vinod Nair and Geoffrey Hinton; *Learning Multiple Layers of Features from Tiny Images*, 2009): color images of 32 x 32 pixels in ten classes. Training used all 50,000 training images and started from [weights](../../bench/models/start/cifar10/README.md) that had learned these, and before them the 200 classes of Tiny ImageNet, as those of [objects200](../objects200/README.md); the model was evaluated on 5,000 of the 10,000 test images, every second one of each class. Both had been stored as JPEG files of quality 75 with colors at half the resolution, which at 32 x 32 loses a good deal of the original pixels, so figures cannot be compared with published ones, which are for the originals.',
    terms:
      'CIFAR-10 has no license. Its page only asks to cite the report above. The images were collected with web search engines for the dataset 80 Million Tiny Images, and belong to whoever made them; that dataset was withdrawn by its authors in 2020 because of offensive labels and images in it, which CIFAR-10, relabeled by hand for ten classes, is not known to have. Since training started from weights that had learned Tiny ImageNet, [its terms](../objects200/README.md#images-and-their-terms) matter here, too. The weights are under the license of this package, Apache-2.0, as far as that is ours to give. Whether weights are bound by terms of the images that they were trained on is not settled in law. If that matters to you, train on images whose terms you know.',
    limits: [
      'It knows ten classes and nothing else, and names one of them for every image: for a person, a house or a screenshot, too. A low probability is a hint, but no test.',
      'It has only seen images of 32 x 32 pixels, enlarged to 96 x 96. Larger images are reduced to that, so a thing has to fill the image, as in a thumbnail of it.',
      '`automobile` means cars and SUVs, `truck` only large trucks; CIFAR-10 has no pickup trucks in either.',
      'CIFAR-10 is known to have near duplicates of about 3 % of its test images among its training images (Barz and Denzler, 2020, *Do we train on test data?*), so on images of your own it does a little worse than here, and on images of another kind, such as drawings, much worse.',
      'It is not made for decisions about people or safety.',
    ],
  },
  objects200: {
    recipe: 'objects200-default',
    from: 'bench/models/start/objects200',
    dataset: 'tiny-imagenet-32',
    evaluated: 'validation images',
    title: 'objects200: two hundred kinds of things in small images, to fine-tune from',
    purpose:
      'A base for models of your own: `resnext train photos --from objects200` starts from what it has learned of 200 kinds of things instead of from random weights ([what that is worth](../../docs/results.md#fine-tuning-or-training-from-scratch)). It can be fine-tuned for any input from 32 pixels up. As a classifier of its own classes it is a small network that sees small images, with the figures below.',
    use: '$ resnext train photos --from objects200 --size 64 --recipe finetune --out runs/photos\n$ resnext features photos --model objects200 -o photos.npy\n$ resnext classify teapot.jpg --model objects200',
    data: 'Tiny ImageNet (made for the course CS231n at Stanford): 200 of the classes of ImageNet (ILSVRC), here reduced from 64 x 64 to 32 x 32 pixels, stored as JPEG files and with plain names. The model was trained on 100,000 images, 500 of each class, and evaluated on 5,000 validation images, 25 of each class. At 32 pixels figures are lower than the published ones, which are at 64.',
    terms:
      'Tiny ImageNet has no license of its own. The images are ImageNet’s: those who download it agree to use it for non-commercial research and education only, and the images belong to the people who put them on the web. The weights are under the license of this package, Apache-2.0, as far as that is ours to give. Whether weights are bound by terms of the images that they were trained on is not settled in law. If you want to sell what you build on it, ask somebody who knows, or start from a model whose images have terms that you know.',
    limits: [
      'It knows 200 classes, and names one of them for every image. There are no people among them.',
      'It has only seen images of 32 x 32 pixels, enlarged to 64 x 64. Small or several things in an image are lost, unless you fine-tune it with a larger `--size`.',
      'Some names mean less than they say: `crane` is the machine, `brass` a memorial plaque, `plate` a dish with food on it, `walking-stick` the insect, `beacon` a lighthouse, `projectile` a missile, `organ` the instrument.',
      'What ImageNet shows is what people put on the web before 2010, mostly from North America and Europe, and so is what the model takes for usual.',
      'It is not made for decisions about people or safety.',
    ],
    groups: {
      'cats and dogs':
        'chihuahua egyptian-cat german-shepherd golden-retriever labrador-retriever persian-cat standard-poodle tabby yorkshire-terrier',
      'other mammals':
        'african-elephant arabian-camel baboon bighorn bison brown-bear chimpanzee cougar dugong gazelle guinea-pig hog koala lesser-panda lion orangutan ox',
      'birds and reptiles':
        'albatross american-alligator black-stork boa-constrictor bullfrog european-fire-salamander goose king-penguin tailed-frog',
      'insects, spiders':
        'bee black-widow centipede cockroach dragonfly fly grasshopper ladybug mantis monarch scorpion spider-web sulphur-butterfly tarantula trilobite walking-stick',
      'sea life, snails':
        'american-lobster brain-coral goldfish jellyfish sea-cucumber sea-slug slug snail spiny-lobster',
      'food, fruit':
        'acorn banana bell-pepper cauliflower espresso guacamole ice-cream ice-lolly lemon mashed-potato meat-loaf mushroom orange pizza plate pomegranate potpie pretzel',
      landscapes: 'alp cliff coral-reef lakeside seashore',
      buildings:
        'altar bannister barbershop barn beacon birdhouse brass butcher-shop cliff-dwelling confectionery dam flagpole fountain maypole obelisk picket-fence pole scoreboard steel-arch-bridge suspension-bridge thatch triumphal-arch turnstile viaduct water-tower',
      vehicles:
        'beach-wagon bullet-train convertible crane freight-car go-kart gondola jinrikisha lawn-mower lifeboat limousine moving-van police-van school-bus sports-car tractor trolleybus',
      clothing:
        'academic-gown apron backpack bikini bow-tie cardigan christmas-stocking fur-coat gasmask kimono military-uniform miniskirt neck-brace poncho sandal snorkel sock sombrero sunglasses swimming-trunks umbrella vestment',
      household:
        'barrel bathtub beaker beer-bottle broom bucket candle chest comic-book desk dining-table frying-pan hourglass lampshade pill-bottle plunger pop-bottle refrigerator rocking-chair sewing-machine space-heater teapot teddy torch water-jug wok wooden-spoon',
      'tools, devices':
        'abacus basketball binoculars cannon cash-machine cd-player chain computer-keyboard drumstick dumbbell ipod magnetic-compass nail oboe organ parking-meter pay-phone potter-s-wheel projectile punching-bag reel remote-control rugby-ball stopwatch syringe volleyball',
    },
  },
};
