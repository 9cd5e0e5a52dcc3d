import { constants } from 'node:os';
import { flagsOf, named, OPEN, SIGCHLD } from '../../launch/constants.ts';
import type { Cell, Label } from '../../launch/program.ts';
import { address, at, type ProgramBuilder } from '../../launch/program-builder.ts';
import { ownSignals } from '../own-signals.ts';
import { answerSize, command, commandSize, longestWrite } from './protocol.ts';

export interface ClientState {
  readonly socket: Cell;
  /** 0 until the resident has taken the call. */
  readonly accepted: Cell;
  readonly alone: Label;
  readonly lost: Label;
}

/** The answer of poll(2) in the word of a struct pollfd, without its sign. */
const readyMask = 0x7fff000000000000n;
const waitAll = named(0x40000100, 'MSG_WAITALL|MSG_CMSG_CLOEXEC');

/** Takes commands and does them, until one ends the process; a resident that is gone leads to `lost`. */
export function commandSteps(p: ProgramBuilder, state: ClientState): void {
  const { socket, lost } = state;
  const loop = p.label('next command');
  const received = receiver(p, commandSize, 4);
  const word = (index: number) => at(received.data, index * 8);
  p.onFailure({ label: lost, index: p.cell('failed step') });
  p.place(loop);
  p.call('recvmsg', [socket, address(received.header), waitAll], {
    what: 'take a command',
    errors: { EINTR: loop, other: lost },
    zero: lost,
  });
  // The kernel has put what it received there: room for the next.
  p.set(at(received.header, 40), received.controlSize);
  const answer = answerer(p, socket, loop);

  const on = (number: number, steps: () => void) => {
    const other = p.label(`not command ${number}`);
    p.local(word(0), { minus: number, negative: other, positive: other });
    steps();
    p.goto(loop);
    p.place(other);
  };
  on(command.accepted, () => p.set(state.accepted, 1));
  on(command.alone, () => p.goto(state.alone));
  on(command.write, () => write(p, socket, lost, word(1), word(2)));
  on(command.spawn, () => {
    const descriptors = [0, 4, 8, 12].map((offset) => {
      const fd = p.cell('descriptor');
      p.local(at(received.control, 16 + offset), { mask: 0xffffffffn, result: fd });
      return fd;
    });
    answer(command.spawn, spawn(p, state, descriptors, word(1), word(2)));
  });
  on(command.wait, () => answer(command.wait, waitHandingOn(p, state, word(1))));
  on(command.exit, () => p.call('exit_group', [word(1)]));
  p.goto(lost);
}

/** recvmsg(2)'s structures for so many bytes and descriptors. */
function receiver(p: ProgramBuilder, size: number, descriptors: number) {
  const controlSize = 16 + Math.ceil((descriptors * 4) / 8) * 8;
  const control = p.buffer('received cmsghdr', controlSize);
  const data = p.buffer('received data', size);
  const vector = Buffer.alloc(16);
  vector.writeBigUInt64LE(BigInt(size), 8);
  const iovec = p.linked('iovec', vector, [{ offset: 0, to: address(data) }]);
  const message = Buffer.alloc(56);
  message.writeBigUInt64LE(1n, 24);
  message.writeBigUInt64LE(BigInt(controlSize), 40);
  const header = p.linked('msghdr', message, [
    { offset: 16, to: address(iovec) },
    { offset: 32, to: address(control) },
  ]);
  return { header, iovec, data, control, controlSize };
}

function answerer(p: ProgramBuilder, socket: Cell, loop: Label) {
  const bytes = p.buffer('answer', answerSize);
  return (number: number, value: Cell) => {
    p.set(at(bytes, 0), number);
    p.copy(value, at(bytes, 8));
    p.call('write', [socket, address(bytes), answerSize], { what: 'answer' });
    p.goto(loop);
  };
}

/** What cannot be written is lost, as a reader that is gone would lose it. */
function write(p: ProgramBuilder, socket: Cell, lost: Label, fd: Cell, length: Cell): void {
  const text = receiver(p, longestWrite, 0);
  const [again, full, done] = [p.label('write'), p.label('full'), p.label('written')];
  p.copy(length, at(text.iovec, 8));
  p.call('recvmsg', [socket, address(text.header), waitAll], { errors: lost, zero: lost });
  p.place(again);
  p.call('write', [fd, address(text.data), length], {
    errors: { EINTR: again, EAGAIN: full, other: done },
    zero: done,
    positive: done,
  });
  p.place(full);
  const polled = p.buffer('pollfd', 8);
  const pollOut = 4n << 32n;
  p.local(fd, { minus: -pollOut, result: at(polled, 0) });
  p.call('ppoll', [address(polled), 1, 0, 0, 0], { errors: 'next' });
  p.goto(again);
  p.place(done);
}

/**
 * The launch program as a child: all signals default and none blocked, a session of its own, no environment. It shares our memory until it executes, so
 * that no page is copied; the interpreter uses no stack. Waits for its end and for that of the records, which stay in their pipe.
 */
function spawn(
  p: ProgramBuilder,
  state: ClientState,
  [program, record, extra, records]: readonly Cell[],
  ...at: readonly Cell[]
): Cell {
  const pid = p.cell('pid');
  const parent = p.label('parent');
  const child = p.label('child failed');
  const vfork = named(0x4100 | SIGCHLD, 'CLONE_VM|CLONE_VFORK|SIGCHLD');
  p.call('clone', [vfork, 0, 0, 0, 0], { what: 'clone', result: pid, errors: parent, positive: parent });

  const number = p.cell('signal', 1);
  const each = p.label('each signal');
  const defaults = p.buffer('SIG_DFL', 32);
  p.set(number, 1);
  p.place(each);
  p.call('rt_sigaction', [number, address(defaults), 0, 8], { errors: 'next' });
  p.local(number, { minus: -1, result: number });
  p.local(number, { minus: 65, negative: each });
  const nothing = address(p.buffer('empty set', 8));
  p.call('rt_sigprocmask', [named(2, 'SIG_SETMASK'), nothing, 0, 8], { errors: 'next' });
  p.call('setsid', [], { errors: 'next' });
  const raise = (fd: Cell | undefined): Cell => {
    const high = p.cell('high');
    p.call('fcntl', [fd ?? -1, named(1030, 'F_DUPFD_CLOEXEC'), 540], { result: high, errors: child });
    return high;
  };
  const [image, ...others] = [program, record, extra].map(raise);
  for (const [index, fd] of others.entries()) p.call('dup3', [fd, at[index] ?? -1, 0], { errors: child });
  const argv = p.vector('argv', ['hull-oci']);
  const environment = p.vector('environment', []);
  p.call('execveat', [image ?? -1, p.text(''), argv, environment, named(0x1000, 'AT_EMPTY_PATH')], {
    what: 'execute the launch program',
    errors: child,
  });
  p.place(child);
  p.call('exit_group', [127], { errors: child });

  p.place(parent);
  for (const fd of [program, record, extra]) p.call('close', [fd ?? -1], { errors: 'next' });
  const done = p.label('launched');
  p.local(pid, { negative: done });
  waitForHangUp(p, records ?? pid, state);
  const again = p.label('reap');
  p.place(again);
  p.call('wait4', [pid, 0, 0, 0], { errors: { EINTR: again, other: 'next' } });
  p.place(done);
  p.call('close', [records ?? -1], { errors: 'next' });
  return pid;
}

/** Until a pipe has no writer any more; the resident's end ends us. poll(2) */
function waitForHangUp(p: ProgramBuilder, pipe: Cell, { socket, lost }: ClientState): void {
  const again = p.label('poll');
  const polled = p.buffer('pollfds', 16);
  p.place(again);
  p.copy(pipe, at(polled, 0));
  p.copy(socket, at(polled, 8));
  p.call('ppoll', [address(polled), 2, 0, 0, 0], { errors: { EINTR: again, other: lost } });
  p.local(at(polled, 8), { mask: readyMask, positive: lost, negative: lost });
}

/** Until the child has ended, signals to us are handed on to it; the resident's end ends us. signalfd(2) */
function waitHandingOn(p: ProgramBuilder, { socket, lost }: ClientState, pid: Cell): Cell {
  const mask = p.bytes('signals', maskOfHandedOn());
  const signals = p.cell('signalfd');
  const result = p.cell('result');
  const status = p.cell('status');
  const [look, pause, done] = [p.label('look'), p.label('pause'), p.label('ended')];
  p.call('rt_sigprocmask', [named(0, 'SIG_BLOCK'), address(mask), 0, 8]);
  p.call('signalfd4', [-1, address(mask), 8, flagsOf('O_', OPEN, ['CLOEXEC'])], { result: signals });
  p.place(look);
  p.set(status, 0);
  const wnohang = named(1, 'WNOHANG');
  p.call('wait4', [pid, address(status.area), wnohang, 0], { result, errors: done, zero: pause });
  p.copy(status, result);
  p.goto(done);

  p.place(pause);
  const polled = p.buffer('pollfds', 16);
  const pollIn = 1n << 32n;
  p.local(signals, { minus: -pollIn, result: at(polled, 0) });
  p.local(socket, { minus: -pollIn, result: at(polled, 8) });
  p.call('ppoll', [address(polled), 2, 0, 0, 0], { errors: { EINTR: pause, other: lost } });
  p.local(at(polled, 8), { mask: readyMask, positive: lost, negative: lost });
  const info = p.buffer('signalfd_siginfo', 128);
  const number = p.cell('signal');
  p.call('read', [signals, address(info), 128], { errors: { EINTR: pause, other: lost } });
  p.local(at(info, 0), { mask: 0xffffffffn, result: number });
  p.local(number, { minus: SIGCHLD, zero: look });
  p.call('kill', [pid, number], { errors: 'next' });
  p.goto(look);
  p.place(done);
  p.call('close', [signals], { errors: 'next' });
  return result;
}

function maskOfHandedOn(): Buffer {
  const numbers = Object.entries(constants.signals)
    .filter(([name]) => !ownSignals.has(name))
    .map(([, number]) => number);
  const bits = [...numbers, SIGCHLD].reduce((set, number) => set | (1n << BigInt(number - 1)), 0n);
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(bits);
  return bytes;
}
