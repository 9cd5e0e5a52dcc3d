import type { Pair } from '../dockerfile/words.ts';
import { type InstructionType, pairsOf } from './instruction.ts';

/** `LABEL name=value …`. */
export const label: InstructionType<readonly Pair[]> = {
  read: pairsOf,
  async perform(stage, pairs) {
    const expanded = pairs.map(([name, value]): Pair => [stage.expand(name), stage.expand(value)]);
    stage.config.Labels = { ...stage.config.Labels, ...Object.fromEntries(expanded) };
    await stage.commit(`LABEL${expanded.map(([name, value]) => ` ${name}=${value}`).join('')}`);
  },
};
