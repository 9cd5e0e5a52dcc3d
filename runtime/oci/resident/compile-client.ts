import { AT_FDCWD, flagsOf, named, OPEN, SIGCHLD } from '../../launch/constants.ts';
import type { Area, Cell, Label, Program } from '../../launch/program.ts';
import { address, at, ProgramBuilder } from '../../launch/program-builder.ts';
import { type ClientState, commandSteps } from './client-command-steps.ts';
import { greeting, greetingSize } from './protocol.ts';

export interface ClientRequest {
  /** Of the resident. At most 107 bytes. */
  readonly socket: string;
  /** Of the program that the resident must be running too: `protocol.ts`. */
  readonly key: string;
  /** The stand-alone form: executed with our own arguments and environment where there is no resident for us. */
  readonly alone: string;
  /** In place of it where these sources are what it was made of. Words that our own arguments (without our name) go behind. */
  readonly fresh?: {
    readonly words: readonly [string, ...string[]];
    readonly sources: readonly SourceTime[];
  };
}

/** A file as it was: time of its last change (statx(2)) and size. */
export interface SourceTime {
  readonly path: string;
  readonly seconds: bigint;
  readonly nanoseconds: bigint;
  readonly size: bigint;
}

/** The lowest of the client's own descriptors: what it was started with keeps its place. */
export const ownDescriptors = 512;

/** The warm `hull-oci`: a program of a few kilobytes that hands its call to a resident process. Pure data. */
export function compileClient(request: ClientRequest): Program {
  const p = new ProgramBuilder();
  const stack = p.cell('stack pointer');
  const alone = p.label('alone');
  const lost = p.label('lost');
  const index = p.cell('failed step');
  // Until the call is accepted, nothing that fails here matters.
  p.onFailure({ label: alone, index });
  // Ignored, it would keep us from waiting for children.
  p.call('rt_sigaction', [SIGCHLD, address(p.buffer('SIG_DFL', 32)), 0, 8]);
  const socket = connect(p, request.socket);
  sayHello(p, socket, request.key);
  const state: ClientState = { socket, accepted: p.cell('accepted', 0), alone, lost };
  commandSteps(p, state);

  p.place(lost);
  p.local(state.accepted, { zero: alone });
  const text = Buffer.from(
    'hull oci: the resident process ended in the middle of this call: what was made may be there in part\n',
  );
  p.call('write', [2, address(p.bytes('message', text)), text.length], { errors: 'next' });
  p.call('exit_group', [1]);

  p.place(alone);
  const [argv, envp] = ownWords(p, stack);
  if (request.fresh) {
    const changed = p.label('sources have changed');
    const status = p.buffer('statx', 256);
    // Without a name there is no room for the words; Linux gives everybody one since 5.18.
    p.local(stack, { indirect: true, zero: changed });
    for (const source of request.fresh.sources) compareSource(p, source, status, changed);
    executeFresh(p, request.fresh.words, argv, envp, changed);
    p.place(changed);
  }
  executeAlone(p, request.alone, argv, envp);
  return p.build(stack);
}

/** unix(7). The descriptor is moved up and out of the way. */
function connect(p: ProgramBuilder, path: string): Cell {
  const low = p.cell('low');
  const socket = p.cell('socket');
  p.call('socket', [named(1, 'AF_UNIX'), named(0o2000001, 'SOCK_STREAM|SOCK_CLOEXEC'), 0], { result: low });
  const sun = Buffer.alloc(110);
  sun.writeUInt16LE(1, 0);
  sun.write(path, 2);
  p.call('fcntl', [low, named(1030, 'F_DUPFD_CLOEXEC'), ownDescriptors], { result: socket });
  p.call('close', [low]);
  p.call('connect', [socket, address(p.bytes(`sockaddr_un {${path}}`, sun)), 110], {
    what: 'connect to the resident',
  });
  return socket;
}

/** The greeting and, with SCM_RIGHTS, our folder in /proc: arguments, working folder and environment are read there. cmsg(3) */
function sayHello(p: ProgramBuilder, socket: Cell, key: string): void {
  const control = p.bytes('cmsghdr {SCM_RIGHTS}', controlHeader());
  const self = at(control, 16);
  p.call('openat', [AT_FDCWD, p.text('/proc/self'), flagsOf('O_', OPEN, ['RDONLY', 'CLOEXEC'])], {
    result: self,
  });
  const vector = Buffer.alloc(16);
  vector.writeBigUInt64LE(BigInt(greetingSize), 8);
  const data = p.linked('iovec', vector, [{ offset: 0, to: address(p.bytes('greeting', greeting(key))) }]);
  const message = Buffer.alloc(56);
  message.writeBigUInt64LE(1n, 24);
  message.writeBigUInt64LE(20n, 40);
  const header = p.linked('msghdr', message, [
    { offset: 16, to: address(data) },
    { offset: 32, to: address(control) },
  ]);
  p.call('sendmsg', [socket, address(header), named(0x4000, 'MSG_NOSIGNAL')], { what: 'greet the resident' });
  p.call('close', [self]);
}

function controlHeader(): Buffer {
  const bytes = Buffer.alloc(24);
  bytes.writeBigUInt64LE(20n, 0);
  bytes.writeInt32LE(1, 8);
  bytes.writeInt32LE(1, 12);
  return bytes;
}

/** The vectors that we were started with: argc, argv, 0, envp from the stack pointer on. */
function ownWords(p: ProgramBuilder, stack: Cell): readonly [argv: Cell, envp: Cell] {
  const [argv, envp, size] = [p.cell('argv'), p.cell('envp'), p.cell('size of argv')];
  p.local(stack, { minus: -8, result: argv });
  p.local(stack, { indirect: true, result: size });
  for (let times = 0; times < 3; times += 1) p.add(size, size, size);
  p.add(argv, size, envp);
  p.local(envp, { minus: -8, result: envp });
  return [argv, envp];
}

function compareSource(p: ProgramBuilder, source: SourceTime, status: Area, changed: Label): void {
  const wanted = named(0x240, 'STATX_MTIME|STATX_SIZE');
  p.call('statx', [AT_FDCWD, p.text(source.path), 0, wanted, address(status)], { errors: changed });
  const { seconds, nanoseconds, size } = source;
  for (const [offset, value] of [
    [40, size],
    [112, seconds],
    [120, nanoseconds],
  ] as const)
    p.local(at(status, offset), { minus: value, negative: changed, positive: changed });
}

/**
 * The words are put right before our first argument, over our name and what is left of the stack below it: by way of a pipe, since the interpreter
 * stores nothing at an address that is known at run time only.
 */
function executeFresh(
  p: ProgramBuilder,
  words: readonly [string, ...string[]],
  argv: Cell,
  envp: Cell,
  failed: Label,
): void {
  const size = words.length * 8;
  const pointers = words.map((word, index) => ({ offset: index * 8, to: p.text(word) }));
  const vector = p.linked('words', Buffer.alloc(size), pointers);
  const [begin, reading, writing] = [p.cell('new argv'), p.cell('reading end'), p.cell('writing end')];
  const ends = p.buffer('pipe', 8);
  p.local(argv, { minus: size - 8, result: begin });
  p.call('pipe2', [address(ends), flagsOf('O_', OPEN, ['CLOEXEC'])], { errors: failed });
  p.local(at(ends, 0), { mask: 0xffffffffn, result: reading });
  p.local(at(ends, 4), { mask: 0xffffffffn, result: writing });
  p.call('write', [writing, address(vector), size], { errors: failed });
  p.call('read', [reading, begin, size], { errors: failed });
  p.call('execve', [p.text(words[0]), begin, envp], { errors: 'next' });
}

/** execve(2) with our own arguments and environment. */
function executeAlone(p: ProgramBuilder, path: string, argv: Cell, envp: Cell): void {
  const failed: Label = p.label('no stand-alone form');
  p.call('execve', [p.text(path), argv, envp], { what: 'execute the stand-alone form', errors: failed });
  p.place(failed);
  const text = Buffer.from(
    `hull oci: cannot execute ${path}: run runtime/bin/hull-oci once to make it anew\n`,
  );
  p.call('write', [2, address(p.bytes('message', text)), text.length], { errors: 'next' });
  p.call('exit_group', [1], { errors: failed });
}
