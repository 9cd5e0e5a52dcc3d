import { writeFile } from 'node:fs/promises';
import { reportFailures } from './common-steps.ts';
import { encodeProgram } from './encode.ts';
import type { Arg } from './program.ts';
import { address, at, ProgramBuilder } from './program-builder.ts';
import type { CallName } from './system-calls.ts';

export interface TriedCall {
  readonly call: CallName;
  readonly args: readonly Arg[];
}

/**
 * For tests: writes an executable that makes each of the calls and prints their results, 8 bytes each. It needs no
 * library, so it shows what the kernel answers to a system call and nothing else.
 */
export async function writeTryCalls(path: string, calls: readonly TriedCall[]): Promise<void> {
  const p = new ProgramBuilder();
  reportFailures(p, 'try');
  const results = p.buffer('results', calls.length * 8);
  for (const [index, { call, args }] of calls.entries())
    p.call(call, args, { result: at(results, index * 8), errors: 'next' });
  p.call('write', [1, address(results), calls.length * 8]);
  p.call('exit_group', [0]);
  await writeFile(path, encodeProgram(p.build()), { mode: 0o755 });
}

/** What it printed: results as Node has them, errnos negative. */
export function readTriedCalls(bytes: Buffer): readonly number[] {
  return Array.from({ length: bytes.length / 8 }, (_, index) => Number(bytes.readBigInt64LE(index * 8)));
}
