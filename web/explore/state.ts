/** The state of Explore, and how the address writes it. What an address has that does not make sense is the default. */
import type { Fields } from '../address.ts';
import { type BlockChoice, positions } from './block.ts';
import { type Figures, initialFigures, readFigures, writeFigures } from './figures.ts';
import { isNetwork, stageCount, usual } from './network.ts';
import type { Pick } from './reach.ts';

export interface ExploreState extends BlockChoice {
  /** The moment between the forms, from 0 to 2, at which the animation rests. */
  readonly time: number;
  /** The channel that stays picked. */
  readonly pick: Pick | undefined;
  readonly figures: Figures;
}

export const initial: ExploreState = {
  network: usual,
  stage: 1,
  position: 'later',
  time: 0,
  pick: undefined,
  figures: initialFigures,
};

export function readState(fields: Fields): ExploreState {
  const network = fields.network !== undefined && isNetwork(fields.network) ? fields.network : initial.network;
  const stage = Number(fields.stage);
  const time = Number(fields.time);
  return {
    network,
    stage: Number.isInteger(stage) && stage >= 1 && stage <= stageCount(network) ? stage : initial.stage,
    position: positions.find((position) => position === fields.position) ?? initial.position,
    time: time >= 0 && time <= 2 ? time : initial.time,
    pick: readPick(fields.pick),
    figures: readFigures(fields),
  };
}

/** `2.37` is channel 37 after layer 2. */
function readPick(text = ''): Pick | undefined {
  const found = /^([123])\.(\d{1,5})$/.exec(text);
  return found ? { layer: Number(found[1]) as Pick['layer'], channel: Number(found[2]) } : undefined;
}

export function writeState({ network, stage, position, time, pick, figures }: ExploreState): Fields {
  return {
    ...(network !== initial.network && { network }),
    ...(stage !== initial.stage && { stage: `${stage}` }),
    ...(position !== initial.position && { position }),
    ...(time !== initial.time && { time: `${Math.round(time * 100) / 100}` }),
    ...(pick && { pick: `${pick.layer}.${pick.channel}` }),
    ...writeFigures(figures),
  };
}
