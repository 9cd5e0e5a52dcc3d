import { HullError } from '../base/errors.ts';

/** Docker's default set for a container. */
export const defaultCapabilities: readonly string[] = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FSETID',
  'FOWNER',
  'MKNOD',
  'NET_RAW',
  'SETGID',
  'SETUID',
  'SETFCAP',
  'SETPCAP',
  'NET_BIND_SERVICE',
  'SYS_CHROOT',
  'KILL',
  'AUDIT_WRITE',
].map((name) => `CAP_${name}`);

/** In the kernel's order: the index is the number (linux/capability.h). */
export const allCapabilities: readonly string[] = (
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE ' +
  'NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN ' +
  'SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE ' +
  'MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE'
)
  .split(' ')
  .map((name) => `CAP_${name}`);

/** Of the `CapBnd:` line of /proc/<pid>/status: the names that this hull knows. */
export function boundingSet(status: string): readonly string[] {
  const bits = BigInt(`0x${/^CapBnd:\t([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  return allCapabilities.filter((_, number) => ((bits >> BigInt(number)) & 1n) === 1n);
}

export interface CapabilityWish {
  /** `NET_ADMIN`, `cap_net_admin` or `ALL`. */
  readonly add: readonly string[];
  readonly drop: readonly string[];
  readonly privileged: boolean;
  /** The daemon's own, which no container can exceed. */
  readonly own: readonly string[];
}

/**
 * The container's set, in the kernel's order. Kind `invalid` names a capability that does not exist, `unsupported` one that is
 * asked for and not the daemon's to give.
 */
export function chooseCapabilities({ add, drop, privileged, own }: CapabilityWish): readonly string[] {
  if (privileged) return own;
  const added = add.map((name) => canonical(name, 'CapAdd'));
  const dropped = drop.map((name) => canonical(name, 'CapDrop'));
  const wanted = new Set(dropped.includes('ALL') ? [] : added.includes('ALL') ? own : defaultCapabilities);
  if (dropped.includes('ALL') && added.includes('ALL')) for (const name of own) wanted.add(name);
  for (const name of dropped) wanted.delete(name);
  for (const name of added) wanted.add(name);
  const lacking = added.find((name) => name !== 'ALL' && !own.includes(name));
  if (lacking !== undefined) {
    throw new HullError(
      `Cannot use HostConfig.CapAdd: found ${lacking}, which the daemon itself does not have (CapBnd of its /proc/self/status)`,
      { kind: 'unsupported' },
    );
  }
  return own.filter((name) => wanted.has(name));
}

function canonical(name: string, field: string): string {
  const upper = name.toUpperCase();
  if (upper === 'ALL') return upper;
  const full = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  if (allCapabilities.includes(full)) return full;
  throw new HullError(
    `Cannot use HostConfig.${field}: found ${JSON.stringify(name)}, wanted a capability such as NET_ADMIN or ALL`,
    { kind: 'invalid' },
  );
}
