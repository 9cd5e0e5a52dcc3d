import { readFlags } from '../dockerfile/flags.ts';
import { type Pair, readPairs } from '../dockerfile/words.ts';
import type { InstructionType } from './instruction.ts';

/** `LABEL name=value …`. */
export const label: InstructionType<readonly Pair[]> = {
  read({ name, rest, flags, escapeMark }) {
    readFlags(name, flags, []);
    return readPairs(name, rest, escapeMark);
  },
  async perform(stage, pairs) {
    const expanded = pairs.map(([name, value]): Pair => [stage.expand(name), stage.expand(value)]);
    stage.config.Labels = { ...stage.config.Labels, ...Object.fromEntries(expanded) };
    await stage.commit(`LABEL${expanded.map(([name, value]) => ` ${name}=${value}`).join('')}`);
  },
};
