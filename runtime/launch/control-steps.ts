import { type PollSet, readyMask } from './poll-steps.ts';
import type { Cell } from './program.ts';
import { address, type ProgramBuilder } from './program-builder.ts';

/** Behind a poll: takes a command of one byte, where there is one, and performs it. */
export function takeCommand(
  p: ProgramBuilder,
  poll: PollSet,
  { from, slot }: { readonly from: Cell; readonly slot: Cell },
  commands: Readonly<Record<string, () => void>>,
): void {
  const [done, ended] = [p.label('control done'), p.label('control ended')];
  const command = p.cell('command');
  p.local(slot, { mask: readyMask, zero: done });
  p.call('read', [from, address(command.area), 1], { what: 'read a command', errors: done, zero: ended });
  for (const [word, perform] of Object.entries(commands)) {
    const [met, next] = [p.label(`command ${word}`), p.label(`no command ${word}`)];
    p.local(command, { mask: 0xffn, minus: word.charCodeAt(0), zero: met });
    p.goto(next);
    p.place(met);
    perform();
    p.goto(done);
    p.place(next);
  }
  p.goto(done);
  p.place(ended);
  poll.ignore(slot);
  p.place(done);
}
