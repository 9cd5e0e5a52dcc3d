import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { arm64Listing, interpreterFor, x64Listing } from './interpreter.ts';

const machines = [
  {
    arch: 'x64',
    listing: x64Listing,
    head: ['.intel_syntax noprefix'],
    tools: process.arch === 'x64' ? '' : 'x86_64-linux-gnu-',
  },
  {
    arch: 'arm64',
    listing: arm64Listing,
    head: [],
    tools: process.arch === 'arm64' ? '' : 'aarch64-linux-gnu-',
  },
].map((machine) => ({ ...machine, found: spawnSync(`${machine.tools}as`, ['--version']).status === 0 }));

/** As the assembler makes them of the listing, with the first entry at this address. */
function assemble({ listing, head, tools }: (typeof machines)[number], first: number, stack: number): string {
  const dir = mkdtempSync(join(tmpdir(), 'hull-as-'));
  try {
    const lines = listing.map(([line]) => line.replace(': ', ':\n'));
    writeFileSync(
      join(dir, 'i.s'),
      `${[...head, `.set first, ${first}`, `.set stack, ${stack}`, ...lines].join('\n')}\n`,
    );
    for (const [program, ...args] of [
      ['as', '-o', 'i.o', 'i.s'],
      ['objcopy', '-O', 'binary', '-j', '.text', 'i.o', 'i.bin'],
    ]) {
      const { status, stderr } = spawnSync(`${tools}${program}`, args, { cwd: dir, encoding: 'utf8' });
      expect(status, stderr).toBe(0);
    }
    return readFileSync(join(dir, 'i.bin')).toString('hex');
  } finally {
    rmSync(dir, { recursive: true });
  }
}

describe('interpreter', () => {
  it.each(machines)('$arch: is of one length for every address, and small', ({ arch, listing }) => {
    const code = interpreterFor(arch).code(0x812345, 0x812349);
    expect(code.length).toBeLessThanOrEqual(112);
    expect(code.length).toBe(listing.reduce((sum, [, bytes]) => sum + bytes.split(' ').length, 0));
    expect(interpreterFor(arch).code(0, 0).length).toBe(code.length);
  });

  it('names the architectures it has, where one is missing', () => {
    expect(() => interpreterFor('s390x')).toThrow(
      'Cannot launch on s390x: found no interpreter for it, wanted one of x64, arm64',
    );
  });

  for (const machine of machines)
    it.skipIf(!machine.found)(
      `${machine.arch}: the bytes are the listing's${machine.found ? '' : ` (no ${machine.tools}as here)`}`,
      () => {
        for (const [first, stack] of [
          [0, 0],
          [0x812340, 0x8a4568],
        ] as const)
          expect(Buffer.from(interpreterFor(machine.arch).code(first, stack)).toString('hex')).toBe(
            assemble(machine, first, stack),
          );
      },
    );
});
