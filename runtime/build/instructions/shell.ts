import { readFlags } from '../dockerfile/flags.ts';
import { DockerfileProblem } from '../dockerfile/problem.ts';
import { jsonWords } from '../dockerfile/word-lists.ts';
import type { InstructionType } from './instruction.ts';

/** `SHELL ["shell", "-c"]`: what runs the shell forms that follow. */
export const shell: InstructionType<readonly string[]> = {
  read({ name, rest, flags }) {
    readFlags(name, flags, []);
    if (rest === '') throw new DockerfileProblem('SHELL requires at least one argument');
    const words = jsonWords(rest);
    if (!words) throw new DockerfileProblem('SHELL requires the arguments to be in JSON form');
    if (words.length === 0) throw new DockerfileProblem('SHELL requires at least one argument');
    return words;
  },
  async perform(stage, words) {
    stage.config.Shell = [...words];
    await stage.commit(`SHELL [${words.join(' ')}]`);
  },
};
