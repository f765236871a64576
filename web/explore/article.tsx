/** The argument in words and figures, in the order in which one needs it. */
import type { ComponentChildren } from 'preact';
import { useMemo } from 'preact/hooks';
import { lazily, Near } from '../controls/lazily.tsx';
import { type Block, type BlockChoice, blockOf } from './block.ts';
import type { Figures } from './figures.ts';
import { GroupCosts, Grouped } from './grouped.tsx';
import { toy } from './network.ts';
import { NetworkControls } from './network-controls.tsx';
import { Prove } from './prove.tsx';
import type { Pick } from './reach.ts';
import { EqualCost, HeldMaps, PlainBlock } from './same-cost.tsx';
import { type Shades, shadesOf } from './shades.ts';
import { SideBySide } from './side-by-side.tsx';
import { Vectors } from './vectors.tsx';
import { Way } from './way.tsx';

const Picture = lazily(() => import('./picture.tsx').then(({ Picture }) => Picture), 560);

interface ArticleProps {
  readonly choice: BlockChoice;
  readonly block: Block;
  readonly shades: Shades | undefined;
  readonly pick: Pick | undefined;
  readonly onHover: (pick: Pick | undefined) => void;
  readonly onPin: (pick: Pick | undefined) => void;
  readonly onChoice: (choice: BlockChoice) => void;
  readonly figures: Figures;
  readonly onFigures: (figures: Figures) => void;
}

/** A block so small that every weight can be seen. */
function smallBlock() {
  const choice = { network: toy, stage: 1, position: 'later' } as const;
  const block = blockOf(choice);
  return { block, shades: shadesOf(choice, block) };
}

const Section = ({ title, children }: { readonly title: string; readonly children: ComponentChildren }) => (
  <section>
    <h2>{title}</h2>
    {children}
  </section>
);

export function Article(props: ArticleProps) {
  const { choice, block, shades, pick, onHover, onPin, onChoice, figures, onFigures } = props;
  const small = useMemo(smallBlock, []);
  return (
    <>
      <Section title="From A to B: adding is concatenating">
        <p>
          Form A is how the paper introduces the block. Every branch reads the whole input, brings it down to a few
          channels with a <b class="split">1×1</b>, transforms them with a <b class="transform">3×3</b>, and brings them
          back up with another <b class="merge">1×1</b>. The results of all branches are added. The number of branches
          is the <em>cardinality</em>, the channels in one of them are its <em>width</em>. The name of a network has
          both: <code>resnext50_32x4d</code> has 50 layers, and 32 branches of width 4 in the blocks of its first stage.
          Every later stage doubles the width.
        </p>
        <p>
          Form B does not add. It puts the branches’ maps next to one another and runs a single 1×1 over all of them.
          That this is the same is a fact about dot products. Take two vectors a and b, and two filters x and y.
        </p>
        <Vectors numbers={figures.vectors} onNumbers={(vectors) => onFigures({ ...figures, vectors })} />
        <p>
          One pixel of a map with four channels is such a vector, and one filter of a 1×1 is such a filter. More pixels
          are more vectors, more filters are more rows. So for whole maps: convolve separately and add, or concatenate
          maps and filters and convolve once. Here it happens to a block of four branches, with every weight in sight.
        </p>
        <Near height={640}>{() => <Way {...small} from={0} />}</Near>
      </Section>

      <Section title="Grouped convolution">
        <p>
          In an ordinary convolution from 128 to 128 channels, there are 128 filters, and each of them reads all 128
          channels. In two groups, the input is cut into two maps of 64 channels. Half of the filters read the first
          map, the other half the second, and each filter has only 64 channels. In four groups, there are four maps of
          32 channels with 32 filters each. Groups never see one another.
        </p>
        <p>
          The number of groups has to divide both the channels and the filters. Here are 8 channels, 4 filters and 4
          groups, so every filter reads 2 channels. Written as a matrix, with a row for each filter, an ordinary
          convolution is full; a grouped one has blocks on its diagonal, and what is beside them is not zero: it is not
          there.
        </p>
        <Grouped numbers={figures.grouped} onNumbers={(grouped) => onFigures({ ...figures, grouped })} />
        <p>
          AlexNet cut its convolutions in two because one graphics card of 2012 could not hold them. It turned out later
          that groups are worth it for their own sake: a 3×3 in 32 groups has a 32nd of the weights, and a block can
          spend what that saves on being wider.
        </p>
        <GroupCosts />
        <h3>On a picture</h3>
        <Picture />
      </Section>

      <Section title="From B to C: branches are groups">
        <p>
          A convolution from 128 to 128 channels in 32 groups is 32 convolutions of 4 channels, each with its own 4
          filters of 4 channels. That is exactly what the 3×3 convolutions of the branches are. So concatenate the maps
          one layer earlier, before the 3×3: one grouped convolution does the work of the small ones, and what comes out
          is already the concatenation that form B needs. The cardinality of the block is the number of groups.
        </p>
        <p>
          One step is left. The first 1×1 convolutions all read the same input, and their results are concatenated.
          Stack their filters, and they are one 1×1. The block is now three convolutions in a row, which is how every
          library builds it.
        </p>
        <Near height={640}>{() => <Way {...small} from={1} />}</Near>
      </Section>

      <Section title="Side by side">
        <p>
          The chosen block in its three forms. A channel after the 3×3 depends on the few channels of its own branch, a
          channel after the last 1×1 on all of them, whichever way the block is written.
        </p>
        <NetworkControls choice={choice} onChange={onChoice} isOpen={false} />
        <Near height={720}>{() => <SideBySide {...{ block, shades, pick, onHover, onPin }} />}</Near>
        <PlainBlock choice={choice} block={block} />
        <p>
          This is the trade that ResNeXt makes. A block of C branches of d channels has 256·C·d weights in the first{' '}
          <b class="split">1×1</b>, 9·C·d² in the <b class="transform">3×3</b>, and 256·C·d in the last{' '}
          <b class="merge">1×1</b>. With more and narrower branches, the 3×3 gets cheaper, and the middle, C·d, can be
          wider for the same sum. In the paper, that alone made the 50-layer network 1.7 points better on ImageNet.
        </p>
        <EqualCost onNetwork={(network) => onChoice({ network, stage: 1, position: 'later' })} />
      </Section>

      <Section title="What has to stay outside">
        <p>
          The argument is about convolutions, which are linear. A block also has batch normalization and ReLU. Both
          treat every channel on its own, so after the first 1×1 and after the 3×3 they can be in the branches or run
          over all of them at once. After the last 1×1 they cannot: ReLU of a sum is not the sum of ReLUs, and 32
          normalizations of 32 parts are not one of the whole. So a branch of form A ends bare. The sum comes first,
          then one normalization, then the shortcut is added, then ReLU.
        </p>
        <table class="places">
          <thead>
            <tr>
              <td />
              <th scope="col">A</th>
              <th scope="col">B</th>
              <th scope="col">C</th>
            </tr>
          </thead>
          <tbody>
            <tr>
              <th scope="row">after the first 1×1 and the 3×3</th>
              <td>BN, ReLU in each branch</td>
              <td>BN, ReLU in each branch</td>
              <td>BN, ReLU over all channels</td>
            </tr>
            <tr>
              <th scope="row">after the last 1×1</th>
              <td>nothing; add; one BN</td>
              <td>one BN</td>
              <td>one BN</td>
            </tr>
            <tr>
              <th scope="row">then</th>
              <td>add the shortcut, ReLU</td>
              <td>add the shortcut, ReLU</td>
              <td>add the shortcut, ReLU</td>
            </tr>
          </tbody>
        </table>
        <p>
          Every number of one form is a number of the others: branch i has rows i·d to (i&nbsp;+&nbsp;1)·d&nbsp;−&nbsp;1
          of form C’s first two weights and the same columns of its last. So trained weights move between the forms by
          copying, gradients and running statistics too, and a network that trains in one form trains the same in
          another. Stride is in the 3×3 and in the shortcut. The shortcut is outside of the branches, so it does not
          care about the form.
        </p>
      </Section>

      <Section title="Prove it">
        <p>
          Equal in theory, and here: the chosen block in its three forms, with the same weights and the same input. What
          is the same for all is a fact about the graphs; the time is a fact about this machine. Form C is usually the
          fastest, if the block is not tiny: a runtime pays for every node, and one wide convolution fills a processor
          better than many narrow ones. <HeldMaps block={block} />
        </p>
        <Prove choice={choice} block={block} />
      </Section>
    </>
  );
}
