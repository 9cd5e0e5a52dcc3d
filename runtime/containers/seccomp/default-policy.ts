import type { Seccomp, SeccompArg, SeccompRule } from '../../base/oci-seccomp.ts';
import { allowedCalls, callsByCapability, callsByMachine, callsSinceKernel48 } from './allowed-calls.ts';

export interface PolicyFor {
  /** The bounding set: `CAP_CHOWN`, … */
  readonly capabilities: readonly string[];
  /** Node's name. */
  readonly arch: string;
  /** `uname -r`. */
  readonly kernel: string;
}

/** Docker's default policy for a container with these capabilities: what is not allowed answers EPERM. Pure. */
export function defaultSeccomp({ capabilities, arch, kernel }: PolicyFor): Seccomp {
  const admin = capabilities.includes('CAP_SYS_ADMIN');
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: eperm,
    architectures: architectures[arch] ?? [],
    syscalls: [
      allow(Object.values(allowedCalls).join(' ')),
      ...(isKernelAtLeast(kernel, 4, 8) ? [allow(callsSinceKernel48)] : []),
      // No sockets to the hypervisor: they are of no network namespace.
      allow('socket', { index: 0, value: afVsock, op: 'SCMP_CMP_NE' }),
      ...personalities.map((value) => allow('personality', { index: 0, value, op: 'SCMP_CMP_EQ' })),
      ...(callsByMachine[arch] === undefined ? [] : [allow(callsByMachine[arch])]),
      ...Object.entries(callsByCapability).flatMap(([capability, names]) =>
        capabilities.includes(capability) ? [allow(names)] : [],
      ),
      ...(admin ? [] : noNewNamespaces),
    ],
  };
}

const eperm = 1;
const enosys = 38;
const afVsock = 40;

const architectures: Readonly<Record<string, readonly string[]>> = {
  x64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
};

/** PER_LINUX, PER_LINUX32, both with UNAME26, and the question what it is. */
const personalities = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff];

/** CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID and NET. */
const namespaceFlags = 0x7e020000;

/** clone without a flag for a namespace; clone3, whose flags a filter cannot see, is as if the kernel had none. */
const noNewNamespaces: readonly SeccompRule[] = [
  allow('clone', { index: 0, value: namespaceFlags, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }),
  { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: enosys },
];

function allow(names: string, arg?: SeccompArg): SeccompRule {
  return {
    names: names.trim().split(/\s+/),
    action: 'SCMP_ACT_ALLOW',
    ...(arg ? { args: [arg] } : {}),
  };
}

export function isKernelAtLeast(kernel: string, major: number, minor: number): boolean {
  const [, foundMajor = 0, foundMinor = 0] = (/^(\d+)\.(\d+)/.exec(kernel) ?? []).map(Number);
  return foundMajor > major || (foundMajor === major && foundMinor >= minor);
}
