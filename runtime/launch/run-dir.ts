import { join } from 'node:path';

/** What a monitor keeps in the run folder of its container. */
export const runFiles = (runDir: string) => ({
  /** FIFO that the monitor holds open as long as it lives. */
  alive: join(runDir, 'alive'),
  /** The monitor's pid, as a 64-bit word. */
  monitor: join(runDir, 'monitor'),
  /** FIFO that takes `controlCommands`. */
  control: join(runDir, 'control'),
  stdin: join(runDir, 'stdin'),
  exit: join(runDir, 'exit'),
  exitTemporary: join(runDir, '.exit.tmp'),
});

/** One byte each; `resize` is followed by a struct winsize. */
export const controlCommands = { closeStdin: 'c', resize: 'r' } as const;
