import { flagsOf, named, OPEN } from './constants.ts';
import type { Cell } from './program.ts';
import { address, at, type ProgramBuilder } from './program-builder.ts';

/** Of a socket pair `read` is the end of who receives, though both ends can do both. */
export interface Pair {
  readonly read: Cell;
  readonly write: Cell;
}

/** A pipe or a pair of sockets, close-on-exec, in cells of their own: the kernel answers both in one word. */
export function pairOf(p: ProgramBuilder, call: 'pipe2' | 'socketpair', use: string): Pair {
  const both = p.cell(`pair for ${use}`);
  const [read, write] = [p.cell(`${use}: reader`), p.cell(`${use}: writer`)];
  const unix = named(1, 'AF_UNIX');
  const datagram = named(0o2000005, 'SOCK_SEQPACKET|SOCK_CLOEXEC');
  p.call(
    call,
    call === 'pipe2'
      ? [address(both.area), flagsOf('O_', OPEN, ['CLOEXEC'])]
      : [unix, datagram, 0, address(both.area)],
    { what: `make a pair of descriptors for ${use}` },
  );
  p.local(both, { mask: 0xffffffffn, result: read });
  // The upper half: loaded from the middle of the cell, the bytes behind it masked off.
  p.local(at(both.area, 4), { mask: 0xffffffffn, result: write });
  return { read, write };
}
