import { begin, holdLock, words, writeText } from './common-steps.ts';
import { AT_FDCWD, flagsOf, MODE, named, OPEN } from './constants.ts';
import { exitField, exitRecordMagic, exitRecordSize } from './exit-record.ts';
import { quote } from './mount-steps.ts';
import { type Pair, pairOf } from './pair-steps.ts';
import type { Area, AreaPart, Cell } from './program.ts';
import { address, at, type ProgramBuilder } from './program-builder.ts';
import { recordDescriptor } from './records.ts';
import { runFiles } from './run-dir.ts';
import { openSignals } from './signal-steps.ts';
import { openHandover } from './terminal-handover.ts';
import type { LaunchRequest } from './types.ts';

/** What the monitor has open when the container's first process is cloned off, and that process too until its execve. */
export interface MonitorState {
  readonly alive: Cell;
  readonly control: Cell;
  readonly stdin: Cell | undefined;
  readonly log: Cell;
  readonly offset: Cell;
  readonly streams: MonitorStreams;
  readonly signals: Cell;
  readonly exit: Area;
}

/** Pipes to the container's streams, or the way on which the master of its terminal comes. */
export type MonitorStreams =
  | { readonly kind: 'pipes'; readonly stdout: Pair; readonly stderr: Pair }
  | { readonly kind: 'terminal'; readonly handover: Pair };

const everySignal = 0xffffffffffffffffn;

/** All that is ready before there is a container: lock, FIFOs, log, pipes. */
export function openMonitor(p: ProgramBuilder, request: LaunchRequest): MonitorState {
  const files = runFiles(request.runDir);
  begin(p, 'hull-monitor', Math.max(recordDescriptor, request.cgroup.readyDescriptor ?? 0) + 1);
  p.call('rt_sigprocmask', [named(2, 'SIG_SETMASK'), address(words(p, 'all signals', [everySignal])), 0, 8], {
    what: 'block signals',
  });
  writeText(p, AT_FDCWD, '/proc/self/oom_score_adj', '-999', { what: 'spare the monitor', optional: true });

  const exit = p.buffer('exit record', exitRecordSize);
  p.set(at(exit, 0), exitRecordMagic);
  p.call('getpid', [], { result: at(exit, exitField.monitorPid) });
  const bootId = p.cell('boot_id');
  p.call(
    'openat',
    [AT_FDCWD, p.text('/proc/sys/kernel/random/boot_id'), flagsOf('O_', OPEN, ['RDONLY', 'CLOEXEC'])],
    {
      what: 'open the boot id',
      result: bootId,
    },
  );
  p.call('read', [bootId, address(exit, exitField.bootId), 36], { what: 'read the boot id' });
  p.call('close', [bootId]);

  holdLock(p, request.rootLockPath);
  for (const stale of [files.exit, files.exitTemporary])
    p.call('unlinkat', [AT_FDCWD, p.text(stale), 0], {
      what: `remove ${quote(stale)}`,
      errors: { ENOENT: 'next' },
    });
  writeFile(p, "the monitor's pid", files.monitor, address(exit, exitField.monitorPid), 8);
  const alive = fifo(p, 'alive', files.alive);
  const control = fifo(p, 'control', files.control);
  const stdin = request.openStdin ? fifo(p, 'stdin', files.stdin) : undefined;

  const log = p.cell('log');
  const offset = p.cell('log offset');
  p.call(
    'openat',
    [AT_FDCWD, p.text(request.logPath), flagsOf('O_', OPEN, ['WRONLY', 'CREAT', 'CLOEXEC']), 0o640],
    {
      what: `open log ${quote(request.logPath)}`,
      result: log,
    },
  );
  p.call('lseek', [log, 0, named(2, 'SEEK_END')], { what: 'find the end of the log', result: offset });

  const streams: MonitorStreams = request.spec.process.terminal
    ? { kind: 'terminal', handover: openHandover(p) }
    : { kind: 'pipes', stdout: pairOf(p, 'pipe2', 'stdout'), stderr: pairOf(p, 'pipe2', 'stderr') };
  return { alive, control, stdin, log, offset, streams, signals: openSignals(p), exit };
}

/** Opened for reading and writing: never waits for another side, never sees an end. */
export function fifo(p: ProgramBuilder, name: string, path: string): Cell {
  const fd = p.cell(name);
  p.call('mknodat', [AT_FDCWD, p.text(path), named(MODE.FIFO | 0o600, 'S_IFIFO|0600'), 0], {
    what: `make FIFO ${quote(path)}`,
    errors: { EEXIST: 'next' },
  });
  p.call('openat', [AT_FDCWD, p.text(path), flagsOf('O_', OPEN, ['RDWR', 'CLOEXEC'])], {
    what: `open FIFO ${quote(path)}`,
    result: fd,
  });
  return fd;
}

/** Makes or replaces a file. */
export function writeFile(
  p: ProgramBuilder,
  name: string,
  path: string,
  content: AreaPart,
  size: number,
): void {
  const fd = p.cell(name);
  const flags = flagsOf('O_', OPEN, ['WRONLY', 'CREAT', 'TRUNC', 'CLOEXEC']);
  p.call('openat', [AT_FDCWD, p.text(path), flags, 0o600], { what: `open ${quote(path)}`, result: fd });
  p.call('write', [fd, content, size], { what: `write ${name}` });
  p.call('close', [fd], { what: `close ${name}` });
}
