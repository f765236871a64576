/** What a block costs, what a plain one of the same cost looks like, and what the paper bought by more branches. */
import { useMemo } from 'preact/hooks';
import { short, whole } from '../controls/numbers.ts';
import { type Block, type BlockChoice, blockWeights, networkCost, plainBlock } from './block.ts';
import { equalCost, usual } from './network.ts';

export function PlainBlock({ choice, block }: { readonly choice: BlockChoice; readonly block: Block }) {
  const plain = useMemo(() => plainBlock(choice, block), [choice, block]);
  const network = useMemo(() => networkCost(choice.network), [choice.network]);
  const { cardinality, branchWidth, forms } = block;
  return (
    <p>
      This block has {whole(forms.C.cost.parameters)} parameters and takes {short(forms.C.cost.macs)} multiply-adds, in
      each of the three forms. A plain ResNet block of the same cost has {plain.width} channels in the middle, all in
      one group, with {whole(plain.cost.parameters)} parameters and {short(plain.cost.macs)} multiply-adds; this one has{' '}
      {cardinality * branchWidth}. All of {choice.network} has {whole(network.parameters)} parameters and takes{' '}
      {short(network.macs)} multiply-adds per image.
    </p>
  );
}

/** Why nobody runs form A: what it holds before it adds. */
export function HeldMaps({ block: { cardinality, output, outputSize } }: { readonly block: Block }) {
  const mebibytes = (maps: number) => `${((maps * output * outputSize ** 2 * 4) / 2 ** 20).toPrecision(3)} MiB`;
  return (
    <>
      Form A is also the largest: before it adds its {cardinality} results, they take {mebibytes(cardinality)} for one
      image, where the other forms have one result of {mebibytes(1)}.
    </>
  );
}

/** Top-1 errors on ImageNet of the paper's Table 3, 50 layers, one crop of 224. */
const errors = { '1x64d': 23.9, '2x40d': 23.0, '4x24d': 22.6, '8x14d': 22.3, '32x4d': 22.2 } as const;

const families = ['split', 'transform', 'merge'] as const;

/** The rows of the paper's Table 2, from the graphs. */
const costRows = () =>
  equalCost.map((name) => {
    const network = usual.replace(/\d+x\d+d/, name);
    return { name, network, ...blockWeights({ network, stage: 1, position: 'later' }) };
  });

export function EqualCost({ onNetwork }: { readonly onNetwork: (network: string) => void }) {
  const rows = useMemo(costRows, []);
  const total = (weights: readonly number[]) => weights.reduce((a, b) => a + b, 0);
  const largest = Math.max(...rows.map(({ weights }) => total(weights)));
  return (
    <table class="bars equal-cost">
      <caption>Cardinality × width at the same cost, in a block of 256 channels of ResNet-50’s size</caption>
      <thead>
        <tr>
          <th scope="col">C × d</th>
          <th scope="col">middle</th>
          <th scope="col">weights</th>
          <td />
          <th scope="col">top-1 error</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ name, network, middle, weights }) => (
          <tr key={name}>
            <th scope="row">
              <button type="button" class="link" onClick={() => onNetwork(network)}>
                {name.replace('x', ' × ')}
              </button>
            </th>
            <td>{middle}</td>
            <td>{whole(total(weights))}</td>
            <td class="bar">
              {weights.map((count, i) => (
                <span key={families[i]} class={families[i]} style={{ width: `${(100 * count) / largest}%` }} />
              ))}
            </td>
            <td>{errors[name].toFixed(1)} %</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
