import { type InstructionType, oneArgument } from './instruction.ts';

/** `MAINTAINER name`: the author of the images that follow. */
export const maintainer: InstructionType<string> = {
  read: oneArgument,
  async perform(stage, name) {
    stage.author = name;
    await stage.commit(`MAINTAINER ${name}`);
  },
};
