import type { Ssh } from '../ssh/ssh.ts';
import type { LeakDetector, LeakDetectorOptions } from './types.ts';

/** Writes the agent into the host, starts it, and speaks to it until disposed. Throws when the agent cannot start. */
export async function connectLeakDetector(
  _ssh: Pick<Ssh, 'spawn' | 'writeFile'>,
  _options: LeakDetectorOptions,
): Promise<LeakDetector> {
  throw new Error('Cannot connect the leak detector: being written');
}
