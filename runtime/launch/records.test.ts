import { describe, expect, it } from 'vitest';
import { exitField, exitRecordMagic, exitRecordSize, parseExitRecord } from './exit-record.ts';
import { parseRecords, parseStartTicks, recordSize, recordTag, statSize } from './records.ts';

const stat = `77 (a) b (c) S ${Array.from({ length: 18 }, (_, index) => index).join(' ')} 4711 9 9\n`;

function record(tag: number, value: number): Buffer {
  const bytes = Buffer.alloc(recordSize);
  bytes.writeBigInt64LE(BigInt(tag), 0);
  bytes.writeBigInt64LE(BigInt(value), 8);
  return bytes;
}

describe('records', () => {
  it('reads the start time behind a name with blanks and parentheses', () => {
    expect(parseStartTicks(stat)).toBe('4711');
  });

  it('reads pid, start and failure in any order', () => {
    const text = Buffer.alloc(statSize);
    text.write(stat);
    const bytes = Buffer.concat([
      record(recordTag.alive, stat.length),
      text,
      record(recordTag.pid, 77),
      record(12, -2),
    ]);
    expect(parseRecords(bytes)).toEqual([
      { kind: 'alive', pid: 77, startTicks: '4711' },
      { kind: 'pid', pid: 77 },
      { kind: 'error', step: 12, errno: 2 },
    ]);
  });

  it('ignores a piece at the end', () => {
    expect(parseRecords(Buffer.concat([record(recordTag.ready, 0), Buffer.alloc(7)]))).toEqual([
      { kind: 'ready' },
    ]);
  });
});

describe('exit record', () => {
  const bytes = Buffer.alloc(exitRecordSize);
  bytes.writeBigUInt64LE(exitRecordMagic, 0);
  bytes.writeInt32LE(42 << 8, exitField.status);
  bytes.writeBigInt64LE(1_700_000_000n, exitField.time);
  bytes.writeBigInt64LE(1_000n, exitField.time + 8);
  bytes.writeBigInt64LE(3n, exitField.dropped);
  bytes.write('554ef45c-2636-4184-9afc-c8b45bee0781', exitField.bootId);

  it('is an exit code, or a signal', () => {
    const common = {
      droppedFrames: 3,
      exitedAt: '2023-11-14T22:13:20.000001000Z',
      bootId: '554ef45c-2636-4184-9afc-c8b45bee0781',
    };
    expect(parseExitRecord(bytes)).toEqual({ exitCode: 42, ...common });
    const killed = Buffer.from(bytes);
    killed.writeInt32LE(9, exitField.status);
    expect(parseExitRecord(killed)).toEqual({ exitCode: 137, signal: 9, ...common });
  });

  it('is nothing else', () => {
    expect(parseExitRecord(bytes.subarray(1))).toBeUndefined();
    expect(parseExitRecord(Buffer.alloc(exitRecordSize))).toBeUndefined();
  });
});
