import type { Pair } from '../dockerfile/words.ts';
import { type InstructionType, pairsOf } from './instruction.ts';

/** `ENV name=value …`: variables of all containers of the image, and of the instructions that follow. */
export const env: InstructionType<readonly Pair[]> = {
  read: pairsOf,
  async perform(stage, pairs) {
    // All of one line see the variables as they were before it.
    const expanded = pairs.map(([name, value]): Pair => [stage.expand(name), stage.expand(value)]);
    for (const [name, value] of expanded)
      stage.config.Env = withVariable(stage.config.Env ?? [], name, value);
    await stage.commit(`ENV${expanded.map(([name, value]) => ` ${name}=${value}`).join('')}`);
  },
};

/** In the place of the one that is there, or at the end. */
export function withVariable(list: readonly string[], name: string, value: string): string[] {
  const at = list.findIndex((entry) => entry.split('=', 1)[0] === name);
  return at < 0 ? [...list, `${name}=${value}`] : list.with(at, `${name}=${value}`);
}
