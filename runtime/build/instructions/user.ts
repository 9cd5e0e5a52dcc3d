import { readFlags } from '../dockerfile/flags.ts';
import { type InstructionType, oneArgument } from './instruction.ts';

/** `USER user[:group]`: who runs what follows, and the containers. */
export const user: InstructionType<string> = {
  read(line) {
    readFlags(line.name, line.flags, []);
    return oneArgument(line);
  },
  async perform(stage, name) {
    stage.config.User = stage.expand(name);
    await stage.commit(`USER ${stage.config.User}`);
  },
};
