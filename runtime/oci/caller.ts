import { readFileSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import { codeOf } from '../base/errors.ts';
import { type Hands, ownHands } from '../launch/hands.ts';
import type { ForegroundWait } from './wait-in-foreground.ts';

/**
 * Whose call of the command line this is. Mostly this process is it. In a resident process it is the one that asked, and only what
 * that can have done for it goes that way: for everything else `needOwnProcess` sends it to do it by itself, before anything was made.
 */
export interface Caller {
  readonly hands: Hands;
  /** Which the command is to have where the specification says nothing; undefined where it has them by being a child. */
  openFiles(): OpenFilesLimit | undefined;
  /** An absolute path: what is relative is so to the caller's working folder. */
  path(word: string): string;
  write(stream: 1 | 2, text: string): void;
  /** The caller stands for a child of the hands, which is waited for by what is answered: signals are handed on to it. */
  standInForeground(): Promise<ForegroundWait>;
  /** Does nothing in a process of its own; otherwise throws OwnProcessNeeded. */
  needOwnProcess(reason: string): void;
}

/** -1 is unlimited. */
export interface OpenFilesLimit {
  readonly soft: number;
  readonly hard: number;
}

export class OwnProcessNeeded extends Error {
  override readonly name = 'OwnProcessNeeded';
}

export const ownCaller: Caller = {
  hands: ownHands,
  openFiles() {
    // Node has raised our own soft limit.
    const text = readFileSync(`/proc/${process.ppid}/limits`, 'utf8');
    const line = /^Max open files\s+(\S+)\s+(\S+)/m.exec(text);
    if (!line) return undefined;
    const [soft = 1024, hard = 1024] = line
      .slice(1)
      .map((word) => (word === 'unlimited' ? -1 : Number(word)));
    return { soft, hard };
  },
  path: (word) => resolve(word),
  write: writeAll,
  async standInForeground() {
    const { standInForeground } = await import('./wait-in-foreground.ts');
    return standInForeground();
  },
  needOwnProcess: () => {},
};

/** process.stdout would load all of Node's streams first. A reader that is gone is no reason to fail. */
function writeAll(stream: 1 | 2, text: string): void {
  const bytes = Buffer.from(text);
  for (let offset = 0; offset < bytes.length; ) {
    try {
      offset += writeSync(stream, bytes, offset);
    } catch (error) {
      if (codeOf(error) === 'EPIPE') return;
      if (codeOf(error) !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}
