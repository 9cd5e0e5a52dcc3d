import { AT_FDCWD, flagsOf, named, OPEN, PRCTL, SIGKILL } from './constants.ts';
import type { Area, Arg, Cell, Target } from './program.ts';
import { address, at, type ProgramBuilder } from './program-builder.ts';
import { recordSize, recordTag } from './records.ts';

/**
 * From here on, a step that fails writes the error record and ends the process with status 1. `before` may add what has
 * to be undone first; its own errors are passed over, so that they do not replace the one that is reported.
 */
export function reportFailures(
  p: ProgramBuilder,
  name: string,
  before?: () => void,
  descriptor: Arg = p.recordDescriptor,
): void {
  const record = p.buffer(`${name} failure`, recordSize);
  const over = p.label(`${name} begins`);
  const label = p.label(`${name} failed`);
  p.goto(over);
  p.place(label);
  p.copy(p.lastResult, at(record, 8));
  before?.();
  writeRecord(p, record, descriptor);
  p.call('exit_group', [1], { errors: 'next' });
  p.place(over);
  p.onFailure({ label, index: at(record, 0) });
}

function writeRecord(p: ProgramBuilder, record: Area, descriptor: Arg): void {
  p.call('write', [descriptor, address(record), recordSize], {
    what: 'report the failure',
    errors: 'next',
  });
}

/** Tells the daemon; EPIPE where it is gone. */
export function report(p: ProgramBuilder, tag: keyof typeof recordTag, value?: Cell): void {
  const bytes = Buffer.alloc(recordSize);
  bytes.writeBigInt64LE(BigInt(recordTag[tag]), 0);
  const record = p.bytes(`${tag} record`, bytes);
  if (value) p.copy(value, at(record, 8));
  p.call('write', [p.recordDescriptor, address(record), recordSize], {
    what: `report to the daemon (${tag})`,
  });
}

/**
 * How every program begins: it keeps the descriptors below `first` and no other, has a name in process lists, and pins no
 * folder of the daemon's.
 */
export function begin(p: ProgramBuilder, name: string, first: number): void {
  closeFrom(p, first);
  const setDescriptorFlags = named(2, 'F_SETFD');
  p.call('fcntl', [p.recordDescriptor, setDescriptorFlags, named(1, 'FD_CLOEXEC')], {
    what: 'mark the record pipe close-on-exec',
  });
  // The C library's posix_spawn leaves its two internal signals ignored.
  for (const signal of [32, 33])
    p.call('rt_sigaction', [signal, address(p.buffer('SIG_DFL', 32)), 0, 8], {
      what: `reset signal ${signal}`,
    });
  p.call('prctl', [named(15, 'PR_SET_NAME'), p.text(name), 0, 0, 0], { what: 'take a name' });
  p.call('chdir', [p.text('/')], { what: 'leave the working folder' });
}

/** Closes every descriptor from `first` on: Node may hand on some. close_range(2) is there since 5.9. */
function closeFrom(p: ProgramBuilder, first: number): void {
  const done = p.label('closed');
  const each = p.label('close each');
  const fd = p.cell('descriptor', first);
  p.call('close_range', [first, 0xffffffff, 0], {
    what: 'close inherited descriptors',
    errors: 'next',
    zero: done,
  });
  p.place(each);
  p.call('close', [fd], { what: 'close an inherited descriptor', errors: 'next' });
  p.local(fd, { minus: -1, result: fd });
  p.local(fd, { minus: 1024, negative: each });
  p.place(done);
}

/** The process is killed when its parent goes. Lost at a change of user, so it is set again after one. */
export function dieWithParent(p: ProgramBuilder): void {
  p.call('prctl', [named(PRCTL.SET_PDEATHSIG, 'PR_SET_PDEATHSIG'), named(SIGKILL, 'SIGKILL'), 0, 0, 0], {
    what: 'ask to be killed with the parent',
  });
}

/** flock(2) on a lock file, kept until the process ends. */
export function holdLock(p: ProgramBuilder, path: string): void {
  const lock = p.cell('lock');
  p.call('openat', [AT_FDCWD, p.text(path), flagsOf('O_', OPEN, ['RDWR', 'CREAT', 'CLOEXEC']), 0o600], {
    what: `open lock ${JSON.stringify(path)}`,
    result: lock,
  });
  p.call('flock', [lock, named(6, 'LOCK_EX|LOCK_NB')], { what: `lock ${JSON.stringify(path)}` });
}

/** Writes a short text to a file below a folder descriptor (or AT_FDCWD): cgroup.procs, sysctls, oom_score_adj. */
export function writeText(
  p: ProgramBuilder,
  folder: Arg,
  path: string,
  text: string,
  options: { readonly what: string; readonly optional?: boolean },
): void {
  const fd = p.cell('file');
  const done = p.label(`${path} written`);
  const errors: Target = options.optional ? done : 'fail';
  p.call('openat', [folder, p.text(path), flagsOf('O_', OPEN, ['WRONLY', 'CLOEXEC'])], {
    what: options.what,
    result: fd,
    errors,
  });
  p.call('write', [fd, p.text(text), Buffer.byteLength(text)], {
    what: options.what,
    errors: options.optional ? 'next' : 'fail',
  });
  p.call('close', [fd]);
  p.place(done);
}

/** Cells of a struct of 64-bit words. */
export function words(p: ProgramBuilder, name: string, values: readonly (number | bigint)[]): Area {
  const bytes = Buffer.alloc(values.length * 8);
  for (const [index, value] of values.entries())
    bytes.writeBigInt64LE(BigInt.asIntN(64, BigInt(value)), index * 8);
  return p.bytes(name, bytes);
}
