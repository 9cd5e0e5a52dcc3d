import { begin, holdLock, report, reportFailures, words, writeText } from './common-steps.ts';
import { AT_FDCWD, flagsOf, MODE, named, OPEN, SIGCHLD, SIGKILL } from './constants.ts';
import { exitField, exitRecordMagic, exitRecordSize } from './exit-record.ts';
import { frameHeaderSize, frameMagic, streamNumber } from './log-frames.ts';
import { quote } from './mount-steps.ts';
import type { Area, AreaPart, Cell } from './program.ts';
import { address, at, type ProgramBuilder } from './program-builder.ts';
import { recordDescriptor } from './records.ts';
import { controlCloseStdin, runFiles } from './run-dir.ts';
import type { LaunchRequest } from './types.ts';

/** What the monitor has open when the container's first process is cloned off, and that process too until its execve. */
export interface MonitorState {
  readonly alive: Cell;
  readonly control: Cell;
  readonly stdin: Cell | undefined;
  readonly log: Cell;
  readonly offset: Cell;
  readonly stdout: Pipe;
  readonly stderr: Pipe;
  readonly signals: Cell;
  readonly exit: Area;
}

interface Pipe {
  readonly read: Cell;
  readonly write: Cell;
}

const chunkSize = 65536;
const everySignal = 0xffffffffffffffffn;

/** All that is ready before there is a container: lock, FIFOs, log, pipes. */
export function openMonitor(p: ProgramBuilder, request: LaunchRequest): MonitorState {
  const files = runFiles(request.runDir);
  begin(p, 'hull-monitor', recordDescriptor + 1);
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

  const stdout = pipe(p, 'stdout');
  const stderr = pipe(p, 'stderr');
  const signals = p.cell('signals');
  const childSignal = words(p, 'SIGCHLD', [1n << BigInt(SIGCHLD - 1)]);
  p.call('signalfd4', [-1, address(childSignal), 8, flagsOf('O_', OPEN, ['CLOEXEC'])], {
    what: 'make a descriptor for SIGCHLD',
    result: signals,
  });
  return { alive, control, stdin, log, offset, stdout, stderr, signals, exit };
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

function pipe(p: ProgramBuilder, name: string): Pipe {
  const both = p.cell(`${name} pipe`);
  const [read, write] = [p.cell(`${name} reader`), p.cell(`${name} writer`)];
  p.call('pipe2', [address(both.area), flagsOf('O_', OPEN, ['CLOEXEC'])], {
    what: `make a pipe for ${name}`,
  });
  p.local(both, { mask: 0xffffffffn, result: read });
  // The upper half: loaded from the middle of the cell, the bytes behind it masked off.
  p.local(at(both.area, 4), { mask: 0xffffffffn, result: write });
  return { read, write };
}

/** The monitor after the clone: frames output until the container's first process has ended, writes the record, leaves. */
export function watchContainer(
  p: ProgramBuilder,
  request: LaunchRequest,
  state: MonitorState,
  pid: Cell,
): void {
  reportFailures(p, 'monitor', () => {
    p.call('kill', [pid, named(SIGKILL, 'SIGKILL')], { what: 'kill the first process', errors: 'next' });
    p.call('wait4', [pid, 0, 0, 0], { what: 'wait for the first process', errors: 'next' });
  });
  report(p, 'pid', pid);
  for (const fd of [state.stdout.write, state.stderr.write]) p.call('close', [fd], { errors: 'next' });
  p.call('close', [recordDescriptor], { errors: 'next' });

  const loop = p.label('loop');
  const finish = p.label('finish');
  // Without a status there is no record to write: the daemon then knows that the monitor was lost.
  const lost = p.label('lost');
  const polled = p.buffer('pollfds', 4 * 8);
  const slots = {
    stdout: at(polled, 0),
    stderr: at(polled, 8),
    signals: at(polled, 16),
    control: at(polled, 24),
  };
  const pollIn = 1n << 32n;
  p.local(state.stdout.read, { minus: -pollIn, result: slots.stdout });
  p.local(state.stderr.read, { minus: -pollIn, result: slots.stderr });
  p.local(state.signals, { minus: -pollIn, result: slots.signals });
  p.local(state.control, { minus: -pollIn, result: slots.control });

  // No time-out at first; none at all to wait for once the first process has ended. Something outside the container may
  // keep writing, so the rounds after the end are counted.
  const timeout = p.cell('timeout');
  const rounds = p.cell('rounds', 4096);
  const roundCost = p.cell('round cost', 0);
  p.place(loop);
  p.local(rounds, { minus: roundCost, result: rounds, zero: finish });
  p.call('ppoll', [address(polled), 4, timeout, 0, 0], {
    what: 'wait for output',
    errors: { EINTR: loop, other: lost },
    zero: finish,
  });
  const frame = frameWriter(p, state);
  frame('stdout', state.stdout.read, slots.stdout);
  frame('stderr', state.stderr.read, slots.stderr);
  controlSteps(p, state, slots.control);

  p.local(slots.signals, { mask: readyMask, zero: loop });
  const info = p.buffer('signalfd_siginfo', 128);
  p.call('read', [state.signals, address(info), 128], { what: 'take the signal', errors: 'next' });
  const wnohang = named(1, 'WNOHANG');
  p.call('wait4', [pid, address(state.exit, exitField.status), wnohang, 0], {
    what: 'take the exit status',
    errors: lost,
    zero: loop,
  });
  const zeroTime = p.pointer('no time', address(words(p, 'timespec 0', [0, 0])));
  p.copy(zeroTime, timeout);
  p.set(roundCost, 1);
  for (const slot of [slots.signals, slots.control]) p.set(slot, 0xffffffffn);
  p.goto(loop);

  p.place(lost);
  p.call('exit_group', [1]);

  p.place(finish);
  writeExitRecord(p, request, state);
  p.call('exit_group', [0]);
}

/** Of a struct pollfd: revents. */
const readyMask = 0x7fff000000000000n;

/**
 * Reads what is there and appends it as one frame: header and data by one pwritev at an offset of our own, which moves on only
 * when all of it was written. So a full disk costs the frame (it is counted), and never tears one.
 */
function frameWriter(p: ProgramBuilder, state: MonitorState) {
  const header = p.buffer('frame header', frameHeaderSize);
  const data = p.buffer('frame data', chunkSize);
  const length = at(header, 24);
  const iov = p.linked('iovec', frameVector(), [
    { offset: 0, to: address(header) },
    { offset: 16, to: address(data) },
  ]);
  const written = p.cell('written');
  const excess = p.cell('excess');
  const negative = p.cell('negative');
  const dropped = at(state.exit, exitField.dropped);
  return (stream: 'stdout' | 'stderr', fd: Cell, slot: Cell) => {
    const done = p.label(`${stream} done`);
    const ended = p.label(`${stream} ended`);
    const drop = p.label(`${stream} frame dropped`);
    p.local(slot, { mask: readyMask, zero: done });
    p.call('read', [fd, address(data), chunkSize], {
      what: `read ${stream}`,
      result: length,
      errors: { EAGAIN: done, EINTR: done, other: ended },
      zero: ended,
    });
    p.set(at(header, 0), frameMagic | (BigInt(streamNumber[stream]) << 32n));
    p.call('clock_gettime', [named(0, 'CLOCK_REALTIME'), address(header, 8)], {
      what: 'read the clock',
      errors: 'next',
    });
    p.copy(length, at(iov, 24));
    p.call('pwritev', [state.log, address(iov), 2, state.offset, 0], {
      what: `append ${stream} to the log`,
      result: written,
      errors: drop,
    });
    p.local(written, { minus: length, result: excess });
    p.local(excess, { minus: frameHeaderSize, negative: drop });
    p.local(written, { mask: 0n, minus: written, result: negative });
    p.local(state.offset, { minus: negative, result: state.offset });
    p.goto(done);
    p.place(drop);
    p.local(dropped, { minus: -1, result: dropped });
    p.goto(done);
    p.place(ended);
    p.set(slot, 0xffffffffn);
    p.call('close', [fd], { errors: 'next' });
    p.place(done);
  };
}

function frameVector(): Buffer {
  const bytes = Buffer.alloc(32);
  bytes.writeBigUInt64LE(BigInt(frameHeaderSize), 8);
  return bytes;
}

function controlSteps(p: ProgramBuilder, { control, stdin }: MonitorState, slot: Cell): void {
  const done = p.label('control done');
  const command = p.cell('command');
  p.local(slot, { mask: readyMask, zero: done });
  p.call('read', [control, address(command.area), 1], { what: 'read a command', errors: done });
  if (stdin) {
    const closing = p.label('close stdin');
    p.local(command, { mask: 0xffn, minus: controlCloseStdin.charCodeAt(0), zero: closing });
    p.goto(done);
    p.place(closing);
    p.call('close', [stdin], { what: 'let go of stdin', errors: 'next' });
    p.set(stdin, -1);
  }
  p.place(done);
}

function writeExitRecord(p: ProgramBuilder, request: LaunchRequest, state: MonitorState): void {
  const files = runFiles(request.runDir);
  p.call('clock_gettime', [named(0, 'CLOCK_REALTIME'), address(state.exit, exitField.time)], {
    what: 'read the clock',
  });
  writeFile(p, 'the exit record', files.exitTemporary, address(state.exit), exitRecordSize);
  p.call('renameat', [AT_FDCWD, p.text(files.exitTemporary), AT_FDCWD, p.text(files.exit)], {
    what: 'put the exit record in place',
  });
}

function writeFile(p: ProgramBuilder, name: string, path: string, content: AreaPart, size: number): void {
  const fd = p.cell(name);
  const flags = flagsOf('O_', OPEN, ['WRONLY', 'CREAT', 'TRUNC', 'CLOEXEC']);
  p.call('openat', [AT_FDCWD, p.text(path), flags, 0o600], { what: `open ${quote(path)}`, result: fd });
  p.call('write', [fd, content, size], { what: `write ${name}` });
  p.call('close', [fd], { what: `close ${name}` });
}
