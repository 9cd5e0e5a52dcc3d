import { closeSync } from 'node:fs';
import { createPipe } from '../sys/process.ts';
import { report } from './common-steps.ts';
import type { Program } from './program.ts';
import { address, type ProgramBuilder } from './program-builder.ts';
import { prepareProgram } from './program-cache.ts';
import { recordDescriptor } from './records.ts';
import { reap, startProgram } from './spawn.ts';

/** A tree that only a helper process has mounted; disposing ends the helper and waits until the mounts are gone. */
export interface HeldRoot extends AsyncDisposable {
  /**
   * `/proc/<pid>/cwd`: a magic link into the helper's namespace, good for plain file calls while held. Do not
   * resolve it (realpath), and mind that absolute links inside the tree lead out of it.
   */
  readonly path: string;
  /** Of the helper. */
  readonly pid: number;
}

/** How a helper's program ends: its working folder is the tree, and its standard input the pipe whose end is its own. */
export function holdUntilReleased(p: ProgramBuilder): void {
  report(p, 'ready');
  p.call('close', [recordDescriptor]);
  p.call('read', [0, address(p.buffer('lifeline', 8)), 1], { what: 'wait for the daemon', errors: 'next' });
  p.call('exit_group', [0]);
}

/** Starts a helper; `descriptors` are those of ours that it has besides the pipe. LaunchError names the step that failed. */
export async function startHolder(
  program: Program,
  descriptors: ReadonlyMap<number, number> = new Map(),
): Promise<HeldRoot> {
  const lifeline = createPipe();
  try {
    const { pid } = await startProgram(prepareProgram(program), {
      name: 'hull-hold',
      wanted: 'ready',
      descriptors: new Map([[0, lifeline.read], ...descriptors]),
    });
    let released: Promise<unknown> | undefined;
    const release = () => {
      closeSync(lifeline.write);
      return reap(pid);
    };
    return {
      path: `/proc/${pid}/cwd`,
      pid,
      async [Symbol.asyncDispose]() {
        released ??= release();
        await released;
      },
    };
  } catch (error) {
    closeSync(lifeline.write);
    throw error;
  } finally {
    closeSync(lifeline.read);
  }
}
