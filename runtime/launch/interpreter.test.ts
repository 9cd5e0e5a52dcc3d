import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { interpreterFor, x64Listing } from './interpreter.ts';

const binutils = spawnSync('as', ['--version']).status === 0 && process.arch === 'x64';

describe('interpreter', () => {
  it('is of one length for every address, and small', () => {
    const code = interpreterFor('x64').code(0x812345);
    expect(code.length).toBeLessThanOrEqual(112);
    expect(code.length).toBe(x64Listing.reduce((sum, [, bytes]) => sum + bytes.split(' ').length, 0));
    expect(Buffer.from(code).readUInt32LE(1)).toBe(0x812345);
  });

  it('names the architectures it has, where one is missing', () => {
    expect(() => interpreterFor('s390x')).toThrow(
      'Cannot launch on s390x: found no interpreter for it, wanted one of x64',
    );
  });

  it.skipIf(!binutils)(
    `x64: the bytes are the listing's${binutils ? '' : ' (no GNU as for x64 here)'}`,
    () => {
      const dir = mkdtempSync(join(tmpdir(), 'hull-as-'));
      try {
        const source = [
          '.intel_syntax noprefix',
          '.set first, 0',
          ...x64Listing.map(([line]) => line.replace(': ', ':\n')),
        ];
        writeFileSync(join(dir, 'i.s'), `${source.join('\n')}\n`);
        for (const [program, ...args] of [
          ['as', '--64', '-o', 'i.o', 'i.s'],
          ['objcopy', '-O', 'binary', '-j', '.text', 'i.o', 'i.bin'],
        ]) {
          const { status, stderr } = spawnSync(program ?? '', args, { cwd: dir, encoding: 'utf8' });
          expect(status, stderr).toBe(0);
        }
        const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
        expect(hex(interpreterFor('x64').code(0))).toBe(hex(readFileSync(join(dir, 'i.bin'))));
      } finally {
        rmSync(dir, { recursive: true });
      }
    },
  );
});
