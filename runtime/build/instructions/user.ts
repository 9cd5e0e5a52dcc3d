import { type InstructionType, oneArgument } from './instruction.ts';

/** `USER user[:group]`: who runs what follows, and the containers. */
export const user: InstructionType<string> = {
  read: oneArgument,
  async perform(stage, name) {
    stage.config.User = stage.expand(name);
    await stage.commit(`USER ${stage.config.User}`);
  },
};
