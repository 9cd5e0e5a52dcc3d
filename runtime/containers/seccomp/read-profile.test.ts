import { describe, expect, it } from 'vitest';
import { chooseSeccomp, readProfile } from './read-profile.ts';

const plain = { capabilities: ['CAP_CHOWN'], arch: 'x64', kernel: '5.10.0-1-amd64' };

const profile = JSON.stringify({
  defaultAction: 'SCMP_ACT_ERRNO',
  defaultErrnoRet: 1,
  archMap: [
    { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] },
    { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: ['SCMP_ARCH_ARM'] },
  ],
  syscalls: [
    { names: ['read'], action: 'SCMP_ACT_ALLOW' },
    { name: 'chown', action: 'SCMP_ACT_ALLOW', includes: { caps: ['CAP_CHOWN'] } },
    { names: ['mount'], action: 'SCMP_ACT_ALLOW', includes: { caps: ['CAP_SYS_ADMIN'] } },
    { names: ['ptrace'], action: 'SCMP_ACT_ALLOW', includes: { minKernel: '4.8' } },
    { names: ['futex_waitv'], action: 'SCMP_ACT_ALLOW', includes: { minKernel: '5.16' } },
    { names: ['cacheflush'], action: 'SCMP_ACT_ALLOW', includes: { arches: ['arm', 'arm64'] } },
    { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: 38, excludes: { caps: ['CAP_SYS_ADMIN'] } },
  ],
});

describe('readProfile', () => {
  it('keeps the rules that hold for the container', () => {
    const found = readProfile(profile, plain);
    expect(found).toMatchObject({ defaultErrnoRet: 1, architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'] });
    expect(found.syscalls?.flatMap(({ names }) => names)).toEqual(['read', 'chown', 'ptrace', 'clone3']);
  });

  it('for another machine and other capabilities', () => {
    const found = readProfile(profile, { capabilities: ['CAP_SYS_ADMIN'], arch: 'arm64', kernel: '6.1' });
    expect(found.syscalls?.flatMap(({ names }) => names)).toEqual([
      'read',
      'mount',
      'ptrace',
      'futex_waitv',
      'cacheflush',
    ]);
  });

  it.each([
    ['{', 'the seccomp profile is none'],
    ['{}', 'defaultAction'],
    [
      '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"DENY"}]}',
      'syscalls.0.action',
    ],
  ])('refuses %s', (text, message) => {
    expect(() => readProfile(text, plain)).toThrow(
      expect.objectContaining({ kind: 'invalid', message: expect.stringContaining(message) }),
    );
  });
});

describe('chooseSeccomp', () => {
  it('default, none, and the client’s', () => {
    expect(chooseSeccomp('unconfined', plain)).toBeUndefined();
    expect(chooseSeccomp({ profile }, plain)?.syscalls).toHaveLength(4);
    const names = chooseSeccomp('default', plain)?.syscalls?.flatMap((rule) => rule.names) ?? [];
    expect(names).toContain('openat2');
    for (const name of ['mount', 'unshare', 'keyctl', 'bpf', 'kexec_load', 'io_uring_setup'])
      expect(names).not.toContain(name);
  });
});
