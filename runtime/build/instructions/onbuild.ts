import { DockerfileProblem } from '../dockerfile/problem.ts';
import { type InstructionType, oneArgument } from './instruction.ts';

/** `ONBUILD instruction`: runs where another build is made upon the image. */
export const onbuild: InstructionType<string> = {
  read(line) {
    if (line.heredocs.length > 0) throw new DockerfileProblem('ONBUILD does not take heredocs');
    const rest = oneArgument(line);
    const trigger = rest.split(/\s/, 1)[0]?.toUpperCase();
    if (trigger === 'ONBUILD')
      throw new DockerfileProblem("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
    if (trigger === 'MAINTAINER' || trigger === 'FROM') {
      throw new DockerfileProblem(`${trigger} isn't allowed as an ONBUILD trigger`);
    }
    return rest;
  },
  async perform(stage, expression) {
    stage.config.OnBuild = [...(stage.config.OnBuild ?? []), expression];
    await stage.commit(`ONBUILD ${expression}`);
  },
};
