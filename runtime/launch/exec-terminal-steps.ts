import { takeCommand } from './control-steps.ts';
import type { Pair } from './pair-steps.ts';
import { PollSet } from './poll-steps.ts';
import type { Cell } from './program.ts';
import type { ProgramBuilder } from './program-builder.ts';
import { pump } from './pump-steps.ts';
import { recordDescriptor } from './records.ts';
import { controlCommands } from './run-dir.ts';
import { blockChildSignal, openSignals, takeStatus } from './signal-steps.ts';
import { openHandover, resizeTerminal, takeTerminal } from './terminal-handover.ts';

/** The pipe of `controlCommands` for the terminal of a command. */
export const controlDescriptor = 6;

export interface ExecTerminal {
  readonly handover: Pair;
  /** Tells of the command's end. */
  readonly signals: Cell;
}

/** Before the clone; the command unblocks its signals itself. */
export function openExecTerminal(p: ProgramBuilder): ExecTerminal {
  blockChildSignal(p);
  return { handover: openHandover(p), signals: openSignals(p) };
}

/**
 * The parent of a command at a terminal: copies between the daemon's pipes and the master until the command has ended and
 * all that it wrote is with the daemon.
 */
export function copyTerminal(
  p: ProgramBuilder,
  { handover, signals }: ExecTerminal,
  command: { readonly pid: Cell; readonly status: Cell; readonly openStdin: boolean },
): void {
  const master = takeTerminal(p, handover);
  for (const fd of [2, recordDescriptor]) p.call('close', [fd], { errors: 'next' });
  const [stdin, stdout] = [p.cell('stdin', 0), p.cell('stdout', 1)];
  const control = p.cell('control', controlDescriptor);
  const poll = new PollSet(p, 6);
  const slot = poll.waitFor('in', signals);
  const controlSlot = poll.waitFor('in', control);
  const output = pump(p, poll, { name: 'terminal output', from: master, to: stdout });
  const input = command.openStdin
    ? pump(p, poll, { name: 'terminal input', from: stdin, to: master })
    : undefined;
  const [loop, over] = [p.label('loop'), p.label('command over')];
  p.place(loop);
  p.call('ppoll', [...poll.arguments, 0, 0, 0], {
    what: 'wait for the terminal',
    errors: { EINTR: loop, other: over },
  });
  output.steps();
  input?.steps();
  takeCommand(
    p,
    poll,
    { from: control, slot: controlSlot },
    { [controlCommands.resize]: () => resizeTerminal(p, control, master) },
  );
  takeStatus(p, { signals, slot, ...command }, { loop, lost: over });
  p.place(over);
  output.drain();
}
