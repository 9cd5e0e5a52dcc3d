import type { Allowance } from './types.ts';

/** What a Linux host does by itself at any moment, whoever else is at work on it. */
export const hostNoise: readonly Allowance[] = [
  {
    kind: 'process',
    what: '^(sshd|sshd-session|sshd-auth): |/sshd-(session|auth) |/sbin/sshd -D -R',
    because: 'connections of the harness come and go',
  },
  {
    kind: 'process',
    what: '^\\(sd-|systemd --user|/systemd-executor ',
    because: 'a login session of the harness',
  },
  {
    kind: 'process',
    what: '^\\((udev-worker|sd-worker)\\)|systemd-udevd|systemd-userwork',
    because: 'udev handles events of devices in helpers that end by themselves',
  },
  {
    kind: 'namespace',
    what: '\\((\\(?udev-worker|systemd-udevd|\\(?sd-|systemd-userwor)',
    because: 'as above',
  },
  { kind: 'cgroup', what: '/user\\.slice(/|$)', because: 'a login session of the harness' },
  {
    kind: 'cgroup',
    what: '/system\\.slice/(systemd-[^/]*|ssh@[^/]*|user@[^/]*|user-runtime-dir@[^/]*|modprobe@[^/]*)\\.service$',
    because: "systemd's own services start when they are needed",
  },
  {
    kind: 'mount',
    what: ' at /run/(user/\\d+|credentials/[^ ]*) ',
    because: 'a login session of the harness; credentials of a systemd service',
  },
  { kind: 'mount', what: '^binfmt_misc|^autofs', because: 'mounted by the kernel when first looked at' },
];
