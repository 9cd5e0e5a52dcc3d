import { describe, expect, it } from 'vitest';
import { named } from './constants.ts';
import { encodeProgram } from './encode.ts';
import { explain, stepOf } from './explain.ts';
import { compileHolder } from './hold-mounts.ts';
import { entrySize } from './interpreter.ts';
import { injectDeath, injectFailure } from './program.ts';
import { address, at, ProgramBuilder } from './program-builder.ts';

function small() {
  const p = new ProgramBuilder();
  const record = p.buffer('failure', 16);
  const failed = p.label('failed');
  p.onFailure({ label: failed, index: at(record, 0) });
  const fd = p.cell('fd');
  const done = p.label('done');
  p.call('openat', [named(-100, 'AT_FDCWD'), p.text('/x'), 0], {
    what: 'open "/x"',
    result: fd,
    errors: { ENOENT: done },
  });
  p.call('read', [fd, address(p.buffer('data', 8192)), 8192], { what: 'read "/x"', zero: done });
  p.place(done);
  p.call('exit_group', [0], { errors: 'next' });
  p.place(failed);
  p.call('exit_group', [1], { errors: 'next' });
  return p.build();
}

describe('launch program', () => {
  it('is text', () => {
    expect(explain(small())).toBe(
      [
        '1  $fd = openat(AT_FDCWD, "/x", 0)  # open "/x"  [ENOENT → done]',
        '2  read($fd, &data, 8192)  # read "/x"  [0 → done]',
        'done:',
        '3  exit_group(0)  [error → next]',
        '4  exit_group(1)  [error → next]',
        '',
      ].join('\n'),
    );
    expect(stepOf(small(), 2)).toEqual({
      index: 2,
      total: 4,
      what: 'read "/x"',
      syscall: 'read',
      args: ['$fd', '&data', '8192'],
    });
  });

  it('is a static ELF file: code, data, a stack that is not executable', () => {
    const file = encodeProgram(small(), 'x64');
    expect(file.subarray(0, 8).toString('latin1')).toBe('\x7fELF\x02\x01\x01\0');
    expect([file.readUInt16LE(16), file.readUInt16LE(18)]).toEqual([2, 62]);
    const headers = [0, 1, 2].map((index) => {
      const start = 64 + index * 56;
      const word = (offset: number) => Number(file.readBigUInt64LE(start + offset));
      return {
        type: file.readUInt32LE(start),
        flags: file.readUInt32LE(start + 4),
        offset: word(8),
        address: word(16),
        fileSize: word(32),
        memorySize: word(40),
        alignment: word(48),
      };
    });
    const [code, data, stack] = headers;
    expect(code).toMatchObject({ type: 1, flags: 5, offset: 0, alignment: 0x10000 });
    expect(data).toMatchObject({ type: 1, flags: 6, alignment: 0x10000 });
    expect(stack).toMatchObject({ type: 0x6474e551, flags: 6 });
    expect(data?.address).toBe(0x800000 + (data?.offset ?? 0));
    // The zeroed 8 kB take no room in the file.
    expect((data?.memorySize ?? 0) - (data?.fileSize ?? 0)).toBeGreaterThan(8192);
    expect(file.length).toBe((data?.offset ?? 0) + (data?.fileSize ?? 0));
    const entry = Number(file.readBigUInt64LE(24)) - 0x400000;
    expect(file.readUInt32LE(entry + 9)).toBe(data?.address);
  });

  it('copies a value known at run time into the argument of a later entry', () => {
    const file = encodeProgram(small(), 'x64');
    const base = Number(file.readBigUInt64LE(64 + 56 + 16));
    const start = Number(file.readBigUInt64LE(64 + 56 + 8));
    const entry = (index: number) => start + index * entrySize;
    // openat, the copy of $fd, read.
    expect(file.readBigInt64LE(entry(0))).toBe(257n);
    expect(file.readBigInt64LE(entry(1))).toBe(-1n);
    expect(file.readBigInt64LE(entry(1) + 24)).toBe(-1n);
    expect(file.readUInt32LE(entry(1) + 56)).toBe(base + 2 * entrySize + 8);
    expect(file.readBigInt64LE(entry(2))).toBe(0n);
    // The error of openat leads to a comparison at the end, its success to the copy.
    expect(file.readUInt32LE(entry(0) + 68)).toBe(base + entrySize);
    expect(file.readUInt32LE(entry(0) + 60)).toBeGreaterThan(base + 4 * entrySize);
  });

  it('has the call numbers of the architecture', () => {
    const file = encodeProgram(small(), 'arm64');
    const data = 64 + 56;
    const first = Number(file.readBigUInt64LE(data + 8));
    expect(file.readUInt16LE(18)).toBe(183);
    expect(file.readBigInt64LE(first)).toBe(56n);
    expect(() => encodeProgram(small(), 's390x')).toThrow('Cannot launch on s390x: found no interpreter');
  });

  it('is the same for the same request', () => {
    const mounts = [{ type: 'tmpfs', source: 'tmpfs', target: '', options: ['size=1m'] }];
    expect(
      encodeProgram(compileHolder(mounts), 'x64').equals(encodeProgram(compileHolder(mounts), 'x64')),
    ).toBe(true);
  });

  it('can be changed at one step', () => {
    expect(explain(injectFailure(small(), 2, 5))).toContain('read($fd, &data, 8192) (not made: EIO)');
    expect(explain(injectDeath(small(), 2))).toContain('2  exit_group(137)  # read "/x"');
  });

  it('refuses a label that was never placed, and an error without a handler', () => {
    const lost = new ProgramBuilder();
    lost.goto(lost.label('nowhere'));
    expect(() => encodeProgram(lost.build(), 'x64')).toThrow('a label was never placed');
    const bare = new ProgramBuilder();
    bare.call('getpid', []);
    expect(() => encodeProgram(bare.build(), 'x64')).toThrow(
      'getpid may fail where no failure handler was set',
    );
  });
});
