import { closeSync, readSync } from 'node:fs';
import { HullError } from '../base/errors.ts';
import { waitForEnd } from '../sys/process.ts';
import {
  compileDetachedExec,
  type DetachedExecRequest,
  detachedExecRecord,
} from './compile-detached-exec.ts';
import { stepOf } from './explain.ts';
import { inheritedDescriptors, standardStreams } from './inherited-descriptors.ts';
import { LaunchError } from './launch-error.ts';
import { openTarget } from './open-target.ts';
import { parseRecords } from './records.ts';
import { spawnProgram } from './spawn.ts';

/**
 * Runs a command in a container; answers when it has been executed. The command is our child. Blocks Node. LaunchError as
 * with `launch`; kind `conflict` where the target has ended.
 */
export function execDetached(request: DetachedExecRequest): { readonly pid: number } {
  const program = compileDetachedExec(request);
  const record = detachedExecRecord(request);
  const target = openTarget(request.target, 'run a command in');
  let started: { readonly pid: number; readonly recordPipe: number };
  try {
    const inherited = record === 3 ? standardStreams : inheritedDescriptors(record);
    const descriptors = new Map([...inherited, [record + 1, target]]);
    started = spawnProgram(program, { name: 'hull-oci', record, descriptors });
  } finally {
    closeSync(target);
  }
  const records = parseRecords(readAll(started.recordPipe));
  waitForEnd(started.pid);
  const pid = records.find((each) => each.kind === 'pid')?.pid;
  const failed = records.find((each) => each.kind === 'error');
  if (pid !== undefined && !failed && records.some(({ kind }) => kind === 'alive')) return { pid };
  if (pid !== undefined) waitForEnd(pid);
  if (failed) throw new LaunchError(stepOf(program, failed.step), failed.errno);
  throw new HullError('Cannot run the command: its process ended without a word', { kind: 'internal' });
}

function readAll(fd: number): Buffer {
  const chunks: Buffer[] = [];
  try {
    for (;;) {
      const chunk = Buffer.alloc(65536);
      const length = readSync(fd, chunk);
      if (length === 0) return Buffer.concat(chunks);
      chunks.push(chunk.subarray(0, length));
    }
  } finally {
    closeSync(fd);
  }
}
