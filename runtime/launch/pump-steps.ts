import { flagsOf, named, OPEN } from './constants.ts';
import { type PollSet, readyMask } from './poll-steps.ts';
import type { Cell } from './program.ts';
import { address, type ProgramBuilder } from './program-builder.ts';

/** What one write to a pipe takes whole or not at all (pipe(7)), and as long as a terminal's line can be. */
const pumpSize = 4096;

export interface Pump {
  /** Behind each poll: what is ready is copied. */
  steps(): void;
  /** Nothing is read any more; what was read and not written is forgotten. */
  stop(): void;
  /** Behind the last poll: writes the rest, waiting where it must, until there is nothing to read. */
  drain(): void;
}

/**
 * Copies from one descriptor to another, in a loop around poll(2). What the other side cannot take yet is kept, and nothing more is
 * read until it is gone: so a side that stands still never stops the loop. `to` becomes non-blocking. What it cannot take at
 * all (EIO, EPIPE) is dropped.
 */
export function pump(
  p: ProgramBuilder,
  poll: PollSet,
  { name, from, to }: { readonly name: string; readonly from: Cell; readonly to: Cell },
): Pump {
  const data = p.buffer(name, pumpSize);
  const begin = p.pointer(`${name}: begin`, address(data));
  const position = p.pointer(`${name}: position`, address(data));
  const left = p.cell(`${name}: left`);
  const written = p.cell(`${name}: written`);
  setBlocking(p, to, false);
  const readable = poll.waitFor('in', from);
  const writable = poll.slot();

  const readMore = (targets: { readonly again: Label; readonly ended: Label }) => {
    p.call('read', [from, address(data), pumpSize], {
      what: `read ${name}`,
      result: left,
      errors: { EAGAIN: targets.again, EINTR: targets.again, other: targets.ended },
      zero: targets.ended,
    });
    p.copy(begin, position);
  };
  /** All that is left, or until it would have to wait. */
  const writeOn = (targets: { readonly wait: Label; readonly over: Label }) => {
    const again = p.label(`${name}: write on`);
    p.place(again);
    p.call('write', [to, position, left], {
      what: `write ${name}`,
      result: written,
      errors: { EAGAIN: targets.wait, EINTR: again, other: targets.over },
    });
    p.local(left, { minus: written, result: left, zero: targets.over });
    p.add(position, written, position);
    p.goto(again);
  };

  return {
    steps() {
      const [done, write, wait, over, ended] = labels(p, name);
      p.local(writable, { mask: readyMask, positive: write });
      p.local(readable, { mask: readyMask, zero: done });
      readMore({ again: done, ended });
      p.place(write);
      writeOn({ wait, over });
      p.place(wait);
      poll.ignore(readable);
      poll.waitFor('out', to, writable);
      p.goto(done);
      p.place(over);
      poll.ignore(writable);
      poll.waitFor('in', from, readable);
      p.set(left, 0);
      p.goto(done);
      p.place(ended);
      poll.ignore(readable);
      p.place(done);
    },
    stop() {
      for (const slot of [readable, writable]) poll.ignore(slot);
    },
    drain() {
      const [done, write, , over, ended] = labels(p, `rest of ${name}`);
      setBlocking(p, to, true);
      p.local(left, { positive: write });
      p.place(over);
      readMore({ again: ended, ended });
      p.place(write);
      writeOn({ wait: done, over });
      p.place(ended);
      p.place(done);
    },
  };
}

type Label = ReturnType<ProgramBuilder['label']>;

function labels(p: ProgramBuilder, name: string) {
  const label = (what: string) => p.label(`${name}: ${what}`);
  return [label('done'), label('write'), label('wait'), label('written'), label('ended')] as const;
}

function setBlocking(p: ProgramBuilder, fd: Cell, blocking: boolean): void {
  const flags = blocking ? 0 : flagsOf('O_', OPEN, ['NONBLOCK']);
  p.call('fcntl', [fd, named(4, 'F_SETFL'), flags], {
    what: `make ${fd.area.name} ${blocking ? 'blocking' : 'non-blocking'}`,
    errors: 'next',
  });
}
