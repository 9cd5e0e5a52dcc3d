import { posix } from 'node:path';
import { DockerfileProblem } from '../dockerfile/problem.ts';
import { type InstructionType, oneArgument } from './instruction.ts';

/** `WORKDIR path`, absolute or below the one before: where what follows runs. The folder is made. */
export const workdir: InstructionType<string> = {
  read: oneArgument,
  async perform(stage, word) {
    const path = stage.expand(word);
    if (path === '') throw new DockerfileProblem('cannot normalize nothing');
    const folder = posix.resolve('/', stage.config.WorkingDir, path);
    stage.config.WorkingDir = folder;
    await stage.commitFolder(folder, `WORKDIR ${folder}`);
  },
};
