import { readFlags } from '../dockerfile/flags.ts';
import { DockerfileProblem } from '../dockerfile/problem.ts';
import { readList } from '../dockerfile/word-lists.ts';
import type { InstructionType } from './instruction.ts';

/** `VOLUME /path …` or `VOLUME ["/path", …]`. */
export const volume: InstructionType<readonly string[]> = {
  read({ name, rest, flags }) {
    readFlags(name, flags, []);
    const paths = readList(rest);
    if (paths.length === 0) throw new DockerfileProblem('VOLUME requires at least one argument');
    if (paths.some((path) => path.trim() === '')) {
      throw new DockerfileProblem('VOLUME specified can not be an empty string');
    }
    return paths;
  },
  async perform(stage, words) {
    const paths = words.map((word) => stage.expand(word));
    stage.config.Volumes = {
      ...stage.config.Volumes,
      ...Object.fromEntries(paths.map((path) => [path, {}])),
    };
    await stage.commit(`VOLUME [${paths.join(' ')}]`);
  },
};
