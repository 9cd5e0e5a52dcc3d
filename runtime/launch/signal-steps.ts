import { words } from './common-steps.ts';
import { flagsOf, named, OPEN, SIGCHLD } from './constants.ts';
import { readyMask } from './poll-steps.ts';
import type { Cell, Label } from './program.ts';
import { address, type ProgramBuilder } from './program-builder.ts';

/** A descriptor that is readable when a child has ended. The signal is blocked already. signalfd(2) */
export function openSignals(p: ProgramBuilder): Cell {
  const signals = p.cell('signals');
  p.call('signalfd4', [-1, address(childSignal(p)), 8, flagsOf('O_', OPEN, ['CLOEXEC'])], {
    what: 'make a descriptor for SIGCHLD',
    result: signals,
  });
  return signals;
}

export function blockChildSignal(p: ProgramBuilder): void {
  p.call('rt_sigprocmask', [named(0, 'SIG_BLOCK'), address(childSignal(p)), 0, 8], { what: 'block SIGCHLD' });
}

/** Behind a poll: goes on here once `pid` has ended, with its status in `status`; else to `loop`, or to `lost`. */
export function takeStatus(
  p: ProgramBuilder,
  {
    signals,
    slot,
    pid,
    status,
  }: { readonly signals: Cell; readonly slot: Cell; readonly pid: Cell; readonly status: Cell },
  { loop, lost }: { readonly loop: Label; readonly lost: Label },
): void {
  p.local(slot, { mask: readyMask, zero: loop });
  const info = p.buffer('signalfd_siginfo', 128);
  p.call('read', [signals, address(info), 128], { what: 'take the signal', errors: 'next' });
  p.call('wait4', [pid, address(status.area, status.offset), named(1, 'WNOHANG'), 0], {
    what: 'take the exit status',
    errors: lost,
    zero: loop,
  });
}

function childSignal(p: ProgramBuilder) {
  return words(p, 'SIGCHLD', [1n << BigInt(SIGCHLD - 1)]);
}
