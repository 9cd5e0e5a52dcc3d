import type { Process } from '../base/oci.ts';
import { named } from './constants.ts';
import { type Pair, pairOf } from './pair-steps.ts';
import type { Cell } from './program.ts';
import { address, type ProgramBuilder } from './program-builder.ts';
import { masterDescriptor, openTerminal, receiveDescriptor, sendDescriptor } from './terminal-steps.ts';
import { windowSizeBytes } from './window-size.ts';

/** The way of a terminal's master from the process that opens it, inside the container, to the one that copies its streams. */
export function openHandover(p: ProgramBuilder): Pair {
  return pairOf(p, 'socketpair', 'the terminal');
}

/** Inside: our terminal is there, and only the other side has the master. */
export function handOverTerminal(p: ProgramBuilder, process: Process, { write }: Pair): void {
  openTerminal(p, process);
  sendDescriptor(p, write, masterDescriptor(p));
  p.call('close', [masterDescriptor(p)]);
}

/**
 * Outside: waits for the master; -1 where the other process ended before. A slave stays open as well: without anyone at
 * it, reading would fail until somebody opens it again. Both close with us.
 */
export function takeTerminal(p: ProgramBuilder, { read, write }: Pair): Cell {
  const none = p.label('no terminal');
  const taken = p.label('terminal taken');
  p.call('close', [write]);
  const master = receiveDescriptor(p, read, "take the terminal's master", none);
  p.call('ioctl', [master, named(0x5441, 'TIOCGPTPEER'), named(0o2000402, 'O_RDWR|O_CLOEXEC|O_NOCTTY')], {
    what: "keep the terminal's slave open",
  });
  p.goto(taken);
  p.place(none);
  p.set(master, -1);
  p.place(taken);
  p.call('close', [read]);
  return master;
}

/** Reads a struct winsize and sets it (TIOCSWINSZ of ioctl_tty(2)); the kernel tells the processes at the terminal (SIGWINCH). */
export function resizeTerminal(p: ProgramBuilder, control: Cell | number, master: Cell): void {
  const size = p.buffer('winsize', windowSizeBytes);
  p.call('read', [control, address(size), windowSizeBytes], { what: 'read the size', errors: 'next' });
  p.call('ioctl', [master, named(0x5414, 'TIOCSWINSZ'), address(size)], {
    what: 'set the size of the terminal',
    errors: 'next',
  });
}
