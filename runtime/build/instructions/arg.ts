import { readFlags } from '../dockerfile/flags.ts';
import { DockerfileProblem } from '../dockerfile/problem.ts';
import { splitWords } from '../dockerfile/words.ts';
import type { BuildStage } from '../stage.ts';
import type { InstructionType } from './instruction.ts';

export interface Argument {
  readonly name: string;
  /** Its default; undefined where it has none. */
  readonly value: string | undefined;
}

/** `ARG name[=default] …`: lets a build argument in, up to the end of the stage. */
export const arg: InstructionType<readonly Argument[], BuildStage> = {
  read({ name, rest, flags, escapeMark }) {
    readFlags(name, flags, []);
    const words = splitWords(rest, escapeMark);
    if (words.length === 0) throw new DockerfileProblem('ARG requires at least one argument');
    return words.map((word) => {
      const equals = word.indexOf('=');
      if (equals === 0) throw new DockerfileProblem('ARG names can not be blank');
      return equals < 0
        ? { name: word, value: undefined }
        : { name: word.slice(0, equals), value: word.slice(equals + 1) };
    });
  },
  async perform(stage, args) {
    const expanded = args.map(({ name, value }) => ({
      name: stage.expand(name),
      value: value === undefined ? undefined : stage.expand(value),
    }));
    for (const { name, value } of expanded) stage.defineArgument(name, value);
    const words = expanded.map(({ name, value }) => (value === undefined ? name : `${name}=${value}`));
    await stage.commit(`ARG ${words.join(' ')}`);
  },
};
