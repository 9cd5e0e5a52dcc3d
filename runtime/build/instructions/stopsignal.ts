import { parseSignal } from '../../containers/signals.ts';
import { type InstructionType, oneArgument } from './instruction.ts';

/** `STOPSIGNAL signal`. Kind `invalid` for one that Linux does not have. */
export const stopsignal: InstructionType<string> = {
  read: oneArgument,
  async perform(stage, word) {
    const signal = stage.expand(word);
    parseSignal(signal);
    stage.config.StopSignal = signal;
    await stage.commit(`STOPSIGNAL ${signal}`);
  },
};
