import { describe, expect, it } from 'vitest';
import type { Seccomp } from '../base/oci-seccomp.ts';
import { seccompFilter } from './seccomp-filter.ts';
import { answerNewerCalls } from './seccomp-newer-calls.ts';

const allow: Seccomp = { defaultAction: 'SCMP_ACT_ALLOW' };

describe('answerNewerCalls', () => {
  /** As the kernel runs it: the answer, or how far the program got. */
  function run(code: Buffer, arch: number, number: number): number | 'filter' {
    let value = 0;
    for (let at = 0; at < code.length; ) {
      const [op, jt, jf, k] = [
        code.readUInt16LE(at),
        code[at + 2] ?? 0,
        code[at + 3] ?? 0,
        code.readUInt32LE(at + 4),
      ];
      let skip = 0;
      if (op === 0x20) value = k === 4 ? arch : number;
      else if (op === 0x15) skip = value === k ? jt : jf;
      else if (op === 0x25) skip = value > k ? jt : jf;
      else if (op === 0x35) skip = value >= k ? jt : jf;
      else if (op === 0x05) skip = k;
      else if (op === 0x06) return k;
      else throw new Error(`op ${op}`);
      at += 8 + skip * 8;
    }
    return 'filter';
  }

  const x64 = 0xc000003e;
  const i386 = 0x40000003;
  const newer = 0x50026;
  const code = answerNewerCalls(
    Buffer.alloc(0),
    new Map([
      ['x86_64', 450],
      ['x86', 440],
      ['x32', 547],
    ]),
  );

  it.each([
    ['the last one known', x64, 450, 'filter'],
    ['a newer one', x64, 451, newer],
    ['a newer one for 32 bits', i386, 441, newer],
    ['one that only 32 bits have not', i386, 440, 'filter'],
    ['x32', x64, 0x40000000 + 547, 'filter'],
    ['a newer one of x32', x64, 0x40000000 + 548, newer],
    ['another machine', 0xc00000b7, 9999, 'filter'],
  ] as const)('%s', (_, arch, number, wanted) => {
    expect(run(code, arch, number)).toBe(wanted);
  });
});

describe('seccompFilter', () => {
  it('makes a program once per policy', () => {
    const policy: Seccomp = {
      defaultAction: 'SCMP_ACT_ERRNO',
      flags: ['SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW'],
      syscalls: [{ names: ['read', 'no_such_call'], action: 'SCMP_ACT_ALLOW' }],
    };
    const filter = seccompFilter(policy);
    expect(filter.instructions.length % 8).toBe(0);
    expect(filter).toMatchObject({
      flags: 6,
      flagsText: 'SECCOMP_FILTER_FLAG_LOG|SECCOMP_FILTER_FLAG_SPEC_ALLOW',
    });
    expect(seccompFilter(structuredClone(policy))).toBe(filter);
  });

  it('asks for a listener where calls are for one', () => {
    const told = { ...allow, listenerPath: '/s', flags: ['SECCOMP_FILTER_FLAG_TSYNC'] };
    expect(seccompFilter(told)).toMatchObject({ listens: false, flags: 1 });
    const syscalls = [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' as const }];
    expect(seccompFilter({ ...told, syscalls })).toMatchObject({ listens: true, flags: 8 });
  });

  it.each<[string, Seccomp, string, string]>([
    [
      'notification without a listener',
      { ...allow, syscalls: [{ names: ['read'], action: 'SCMP_ACT_NOTIFY' }] },
      'invalid',
      'without linux.seccomp.listenerPath',
    ],
    [
      'notification of write',
      { ...allow, listenerPath: '/s', syscalls: [{ names: ['write'], action: 'SCMP_ACT_NOTIFY' }] },
      'invalid',
      'SCMP_ACT_NOTIFY cannot be used for the write syscall',
    ],
    [
      'notification of all',
      { defaultAction: 'SCMP_ACT_NOTIFY', listenerPath: '/s' },
      'invalid',
      'default action',
    ],
    [
      'a flag for listeners alone',
      { ...allow, flags: ['SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'] },
      'invalid',
      'without SCMP_ACT_NOTIFY',
    ],
    ['an unknown flag', { ...allow, flags: ['X'] }, 'invalid', 'found flag "X"'],
    [
      'an unknown architecture',
      { ...allow, architectures: ['SCMP_ARCH_PDP11'] },
      'invalid',
      'found architecture "pdp11"',
    ],
    [
      'an argument out of range',
      {
        ...allow,
        syscalls: [
          { names: ['read'], action: 'SCMP_ACT_ERRNO', args: [{ index: 6, value: 0, op: 'SCMP_CMP_EQ' }] },
        ],
      },
      'invalid',
      'found argument index 6, wanted 0 to 5',
    ],
  ])('refuses %s', (_, policy, kind, message) => {
    expect(() => seccompFilter(policy)).toThrow(
      expect.objectContaining({ kind, message: expect.stringContaining(message) }),
    );
  });
});
