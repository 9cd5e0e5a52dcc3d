import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { Readable, type Writable } from 'node:stream';
import { HullError } from '../base/errors.ts';
import { createPipe, decodeWaitStatus, type WaitStatus } from '../sys/process.ts';
import { statusDescriptor, targetDescriptor } from './compile-exec.ts';
import { controlDescriptor } from './exec-terminal-steps.ts';
import { keptPrograms } from './kept-programs.ts';
import { openTarget } from './open-target.ts';
import { controlCommands } from './run-dir.ts';
import { readToEnd, reap, startProgram } from './spawn.ts';
import type { ExecRequest, LaunchedExec } from './types.ts';
import { type WindowSize, windowSize } from './window-size.ts';

/**
 * Runs a command inside a running container. LaunchError as with `launch`; HullError `conflict` where the target is gone.
 *
 * The command, and the small process of ours that waits for it, are killed when the daemon dies: its streams are pipes to the
 * daemon, and nobody could read them or take its status any more. What it has started itself goes on in the
 * container.
 */
export async function launchExec(request: ExecRequest): Promise<LaunchedExec> {
  const program = keptPrograms.forExec(request);
  const target = openTarget(request.target, 'run a command in');
  const stdin = request.openStdin ? createPipe() : undefined;
  const stdout = createPipe();
  const { terminal = false } = request.process;
  const stderr = terminal ? undefined : createPipe();
  const control = terminal ? createPipe() : undefined;
  const status = createPipe();
  const childSide = [target, stdin?.read, stdout.write, stderr?.write, status.write, control?.read];
  const ownSide = [stdin?.write, stdout.read, stderr?.read, status.read, control?.write];
  const closeAll = (fds: readonly (number | undefined)[]) => {
    for (const fd of fds) if (fd !== undefined) closeSync(fd);
  };
  const descriptors = new Map([
    [1, stdout.write],
    [statusDescriptor, status.write],
    [targetDescriptor, target],
  ]);
  if (stdin) descriptors.set(0, stdin.read);
  if (stderr) descriptors.set(2, stderr.write);
  if (control) descriptors.set(controlDescriptor, control.read);
  try {
    const started = startProgram(program, { name: 'hull-exec', wanted: 'alive', descriptors });
    closeAll(childSide.splice(0));
    const { pid: parentPid, records } = await started;
    const first = records.find((record) => record.kind === 'pid');
    const alive = records.find((record) => record.kind === 'alive');
    if (!first || !alive)
      throw new HullError(
        `Cannot run a command in process ${request.target.pid}: its process was not named`,
        {
          kind: 'internal',
        },
      );
    ownSide.length = 0;
    const exited = takeStatus(status.read, parentPid);
    return {
      pid: first.pid,
      startTicks: alive.startTicks,
      ...(stdin ? { stdin: new Socket({ fd: stdin.write, readable: false, writable: true }) } : {}),
      stdout: new Socket({ fd: stdout.read, readable: true, writable: false }),
      stderr: stderr ? new Socket({ fd: stderr.read, readable: true, writable: false }) : Readable.from([]),
      ...(control
        ? { resize: resizer(new Socket({ fd: control.write, readable: false, writable: true }), exited) }
        : {}),
      exited,
    };
  } catch (error) {
    closeAll(childSide);
    closeAll(ownSide);
    throw error;
  }
}

function resizer(control: Writable, exited: Promise<unknown>): (size: WindowSize) => void {
  // The command may end at any time.
  control.on('error', () => undefined);
  void exited.then(() => control.destroy());
  return (size) => void control.write(Buffer.concat([Buffer.from(controlCommands.resize), windowSize(size)]));
}

/** Where the parent ended without a word, it was killed, and the command with it. */
async function takeStatus(fd: number, parentPid: number): Promise<WaitStatus> {
  const bytes = await readToEnd(fd).catch(() => Buffer.alloc(0));
  await reap(parentPid);
  return decodeWaitStatus(bytes.length >= 4 ? bytes.readInt32LE() : 9);
}
