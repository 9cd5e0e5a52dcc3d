import { named } from './constants.ts';
import { exitField } from './exit-record.ts';
import { frameHeaderSize, frameMagic, streamNumber } from './log-frames.ts';
import type { MonitorState } from './open-monitor-steps.ts';
import { readyMask } from './poll-steps.ts';
import type { Cell } from './program.ts';
import { address, at, type ProgramBuilder } from './program-builder.ts';

const chunkSize = 65536;

/**
 * Reads what is there and appends it as one frame: header and data by one pwritev at an offset of our own, which moves on only
 * when all of it was written. So a full disk costs the frame (it is counted), and never tears one.
 */
export function frameWriter(p: ProgramBuilder, state: MonitorState) {
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
  return (stream: 'stdout' | 'stderr', fd: Cell, slot: Cell): void => {
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
