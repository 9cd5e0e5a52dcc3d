import type { Command } from '../dockerfile/word-lists.ts';
import { commandWords } from '../stage.ts';
import { goList } from './go-quote.ts';
import { commandOf, type InstructionType } from './instruction.ts';

/** `ENTRYPOINT words` or `ENTRYPOINT ["word", …]`. A command that the stage has from its base goes with it. */
export const entrypoint: InstructionType<Command> = {
  read: commandOf,
  async perform(stage, command) {
    const words = commandWords(stage.config, command);
    stage.config.Entrypoint = [...words];
    if (!stage.hasCommand) stage.config.Cmd = null;
    await stage.commit(`ENTRYPOINT ${goList(words)}`);
  },
};
