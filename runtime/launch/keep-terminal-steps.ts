import { flagsOf, named, OPEN } from './constants.ts';
import type { Pair } from './pair-steps.ts';
import type { ProgramBuilder } from './program-builder.ts';
import { masterDescriptor, receiveDescriptor } from './terminal-steps.ts';

/**
 * The launcher's part where no console socket takes the terminal: it receives the master over the pair and keeps it, so that
 * who started it can take it (pidfd_getfd(2)) and end the launcher. With that one it ends too.
 */
export function keepMaster(p: ProgramBuilder, pair: Pair): void {
  const what = "take the terminal's master";
  p.call('close', [pair.write]);
  // Nothing comes where the command has failed before; that is told elsewhere.
  const master = receiveDescriptor(p, pair.read, what);
  p.call('dup3', [master, masterDescriptor(p), flagsOf('O_', OPEN, ['CLOEXEC'])], { what });
  p.call('close', [p.recordDescriptor]);
  p.call('ppoll', [0, 0, 0, 0, 0], { what: 'keep it', errors: 'next' });
  p.call('exit_group', [named(0, 'done')]);
}
