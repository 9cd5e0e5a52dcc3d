import { closeSync } from 'node:fs';
import { HullError } from '../base/errors.ts';
import {
  compileDetachedExec,
  type DetachedExecRequest,
  detachedExecRecord,
} from './compile-detached-exec.ts';
import { stepOf } from './explain.ts';
import type { Hands, SpawnedProgram } from './hands.ts';
import { LaunchError } from './launch-error.ts';
import { openTarget } from './open-target.ts';
import { parseRecords } from './records.ts';

/**
 * Runs a command in a container; answers when it has been executed. The command is a child of whose hands these are. LaunchError as
 * with `launch`; kind `conflict` where the target has ended.
 */
export async function execDetached(
  request: DetachedExecRequest,
  hands: Hands,
): Promise<{ readonly pid: number }> {
  const program = compileDetachedExec(request);
  const record = detachedExecRecord(request);
  const target = openTarget(request.target, 'run a command in');
  let started: SpawnedProgram;
  try {
    started = await hands.spawn(program, { name: 'hull-oci', record, extra: target });
  } finally {
    closeSync(target);
  }
  const records = parseRecords(await readAll(hands, started.recordPipe));
  await hands.reap(started.pid);
  const pid = records.find((each) => each.kind === 'pid')?.pid;
  const failed = records.find((each) => each.kind === 'error');
  if (pid !== undefined && !failed && records.some(({ kind }) => kind === 'alive')) return { pid };
  if (pid !== undefined) await hands.reap(pid);
  if (failed) throw new LaunchError(stepOf(program, failed.step), failed.errno);
  throw new HullError('Cannot run the command: its process ended without a word', { kind: 'internal' });
}

async function readAll(hands: Hands, fd: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for (;;) {
      const chunk = Buffer.alloc(65536);
      const length = await hands.read(fd, chunk);
      if (length === 0) return Buffer.concat(chunks);
      chunks.push(chunk.subarray(0, length));
    }
  } finally {
    closeSync(fd);
  }
}
