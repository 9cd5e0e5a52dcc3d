import type { Command } from '../dockerfile/word-lists.ts';
import { commandWords } from '../stage.ts';
import { goList } from './go-quote.ts';
import { commandOf, type InstructionType } from './instruction.ts';

/** `CMD words` or `CMD ["word", …]`: what containers run, or the arguments of their entrypoint. */
export const cmd: InstructionType<Command> = {
  read: commandOf,
  async perform(stage, command) {
    const words = commandWords(stage.config, command);
    stage.config.Cmd = [...words];
    await stage.commit(`CMD ${goList(words)}`);
    if (command.words.length > 0) stage.hasCommand = true;
  },
};
