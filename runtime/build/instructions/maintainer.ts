import { readFlags } from '../dockerfile/flags.ts';
import { type InstructionType, oneArgument } from './instruction.ts';

/** `MAINTAINER name`: the author of the images that follow. */
export const maintainer: InstructionType<string> = {
  read(line) {
    readFlags(line.name, line.flags, []);
    return oneArgument(line);
  },
  async perform(stage, name) {
    stage.author = name;
    await stage.commit(`MAINTAINER ${name}`);
  },
};
