import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { reportFailures, writeText } from './common-steps.ts';
import { AT_FDCWD, flagsOf, MODE, named, OPEN, SIGCHLD } from './constants.ts';
import { encodeProgram } from './encode.ts';
import type { Program } from './program.ts';
import { address, at, ProgramBuilder } from './program-builder.ts';
import { parseRecords } from './records.ts';
import { systemCalls } from './system-calls.ts';

const noQemu = spawnSync('qemu-aarch64', ['--version']).status !== 0 && process.arch !== 'arm64';

/** Runs a program for arm64: its status, output, and what it wrote to descriptor 3. */
function run(program: Program) {
  const dir = mkdtempSync(join(tmpdir(), 'hull-arm64-'));
  try {
    const path = join(dir, 'program');
    writeFileSync(path, encodeProgram(program, 'arm64'), { mode: 0o755 });
    const [command, args] = process.arch === 'arm64' ? [path, []] : ['qemu-aarch64', [path]];
    const { status, stdout, output } = spawnSync(command, args, {
      cwd: dir,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    });
    return { status, stdout: stdout.toString(), records: parseRecords(output[3] as unknown as Buffer) };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

describe.skipIf(noQemu)(`programs on arm64${noQemu ? ' (skipped: no qemu-aarch64)' : ''}`, () => {
  it('calls, pipes, branches three ways, waits for a child, and counts', () => {
    const p = new ProgramBuilder();
    reportFailures(p, 'test');
    const both = p.cell('pipe');
    const [reader, writer, pid, status] = [
      p.cell('reader'),
      p.cell('writer'),
      p.cell('pid'),
      p.cell('status'),
    ];
    const parent = p.label('parent');
    p.call('pipe2', [address(both.area), flagsOf('O_', OPEN, ['CLOEXEC'])]);
    p.local(both, { mask: 0xffffffffn, result: reader });
    p.local(at(both.area, 4), { mask: 0xffffffffn, result: writer });
    p.call('clone', [named(SIGCHLD, 'SIGCHLD'), 0, 0, 0, 0], { result: pid, positive: parent });
    const rounds = p.cell('rounds', 3);
    const again = p.label('again');
    p.place(again);
    p.call('write', [writer, p.text('ahoy '), 5]);
    p.local(rounds, { minus: 1, result: rounds, positive: again });
    p.call('exit_group', [7]);
    p.place(parent);
    p.call('wait4', [pid, address(status.area), 0, 0]);
    const buffer = p.buffer('buffer', 64);
    const length = p.cell('length');
    p.call('read', [reader, address(buffer), 64], { result: length });
    p.call('write', [1, address(buffer), length]);
    // The exit status is in the second byte of the wait status.
    const code = p.cell('code');
    p.local(at(status.area, 1), { mask: 0xffn, minus: -1, result: code });
    p.call('exit_group', [code]);
    expect(run(p.build())).toMatchObject({ status: 8, stdout: 'ahoy ahoy ahoy ' });
  });

  it('makes files, follows its error branches, and becomes another program', () => {
    const p = new ProgramBuilder();
    reportFailures(p, 'test');
    const missing = p.label('missing');
    p.call('mkdirat', [AT_FDCWD, p.text('folder'), 0o755]);
    p.call('mkdirat', [AT_FDCWD, p.text('folder'), 0o755], { errors: { EEXIST: 'next' } });
    p.call('mknodat', [AT_FDCWD, p.text('folder/file'), named(MODE.FILE | 0o644, 'S_IFREG|0644'), 0]);
    writeText(p, AT_FDCWD, 'folder/file', 'text', { what: 'write' });
    p.call('renameat', [AT_FDCWD, p.text('folder/file'), AT_FDCWD, p.text('folder/other')]);
    p.call('openat', [AT_FDCWD, p.text('folder/file'), 0], { errors: { ENOENT: missing } });
    p.call('exit_group', [1]);
    p.place(missing);
    const status = p.buffer('statx', 256);
    p.call('statx', [
      AT_FDCWD,
      p.text('folder/other'),
      0,
      named(0x7ff, 'STATX_BASIC_STATS'),
      address(status),
    ]);
    const size = p.cell('size');
    p.local(at(status, 40), { mask: 0xffffffffn, result: size });
    p.call('dup3', [1, 9, 0]);
    p.call('chdir', [p.text('/')]);
    p.call('exit_group', [size]);
    expect(run(p.build())).toMatchObject({ status: 4 });
  });

  it('names the step that failed', () => {
    const p = new ProgramBuilder();
    reportFailures(p, 'test');
    p.call('getpid', []);
    p.call('chdir', [p.text('/no/such/folder')]);
    expect(run(p.build())).toMatchObject({ status: 1, records: [{ kind: 'error', step: 4, errno: 2 }] });
  });
});

const headers = {
  x64: '/usr/include/x86_64-linux-gnu/asm/unistd_64.h',
  arm64: '/usr/include/asm-generic/unistd.h',
};

describe.each(['x64', 'arm64'] as const)('call numbers of %s', (arch) => {
  const present = existsSync(headers[arch]);
  it.skipIf(!present)(`are the kernel headers'${present ? '' : ` (no ${headers[arch]})`}`, () => {
    const text = readFileSync(headers[arch], 'utf8');
    const numbers = new Map(
      [...text.matchAll(/^#define (__NR3264_|__NR_)(\w+)\s+(\d+)/gm)].map(([, , name, number]) => [
        name,
        Number(number),
      ]),
    );
    const own = Object.entries(systemCalls).map(([name, { [arch]: number }]) => [name, number]);
    const theirs = own.map(([name, number]) => [
      name,
      numbers.get(String(name)) ?? `${number} (not in this header)`,
    ]);
    // What the headers of an older kernel do not have yet cannot be compared.
    const known = ([name]: readonly unknown[]) => numbers.has(String(name));
    expect(own.filter(known)).toEqual(theirs.filter(known));
    expect(own.filter(known).length).toBeGreaterThan(50);
  });
});
