import { constants, existsSync, openSync, readSync } from 'node:fs';
import { readOnce } from './read.ts';
import type { Thing } from './thing.ts';

/** What a kernel says when something went wrong inside it (SCENARIOS.md, B32). */
const trouble = new RegExp(
  [
    'overlayfs:.*(in-use|undefined)',
    'unregister_netdevice',
    'WARNING:',
    '\\bBUG\\b',
    'Oops',
    'hung task|blocked for more than',
    'lockdep|circular locking',
    'SLUB: Unable',
    'possible memory allocation deadlock',
    'device-mapper:.*(failed|out of|error)',
    'XFS.*(error|shutdown|corrupt)',
    'EXT4-fs.*error',
    'BTRFS.*(error|warning)',
    'Buffer I/O error',
    'cgroup: fork rejected',
    'oom-kill|Out of memory',
    'segfault at',
  ].join('|'),
  'i',
);

/** Follows /dev/kmsg; keeps the lines that speak of trouble. */
export class KernelLog {
  #fd: number | undefined;
  readonly #lines: Thing[] = [];
  unavailable: string | undefined;

  constructor(path = '/dev/kmsg') {
    try {
      this.#fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (error) {
      this.unavailable = `kernel log: ${(error as Error).message}`;
    }
  }

  look(): readonly Thing[] {
    const record = Buffer.allocUnsafe(8192);
    while (this.#fd !== undefined) {
      try {
        const length = readSync(this.#fd, record, 0, record.length, null);
        if (length === 0) break;
        this.#add(record.toString('utf8', 0, length));
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        // EPIPE: records were overwritten before they were read; the next read goes on after the gap.
        if (code !== 'EPIPE') break;
      }
    }
    return this.#lines;
  }

  /** A record is `priority,sequence,microseconds,flags;text` and further lines with a dictionary. */
  #add(record: string): void {
    const semicolon = record.indexOf(';');
    const text = record.slice(semicolon + 1).split('\n', 1)[0] ?? '';
    if (!trouble.test(text)) return;
    const id = record.slice(0, semicolon).split(',')[1] ?? '';
    this.#lines.push({ kind: 'kernel-log', id, like: id, what: text });
  }
}

/** Settings that an engine changes, rightly or not, and that outlive it. */
const sysctls = [
  'fs/inotify/max_user_instances',
  'fs/may_detach_mounts',
  'fs/mount-max',
  'kernel/core_pattern',
  'kernel/keys/root_maxbytes',
  'kernel/keys/root_maxkeys',
  'kernel/panic_on_oops',
  'kernel/pid_max',
  'kernel/tainted',
  'net/bridge/bridge-nf-call-iptables',
  'net/ipv4/conf/all/forwarding',
  'net/ipv4/conf/all/route_localnet',
  'net/ipv4/conf/all/rp_filter',
  'net/ipv4/conf/default/rp_filter',
  'net/ipv4/ip_forward',
  'net/ipv4/ip_unprivileged_port_start',
  'net/ipv6/conf/all/accept_ra',
  'net/ipv6/conf/all/forwarding',
  'user/max_mnt_namespaces',
  'user/max_net_namespaces',
  'user/max_user_namespaces',
  'vm/overcommit_memory',
  // Whether a kernel has one is asked once: an open that fails costs ten times one that does not. One that appears later with
  // its module has no value to compare with.
].filter((path) => existsSync(`/proc/sys/${path}`));

export function* sysctlThings(): Generator<Thing> {
  for (const path of sysctls) {
    const value = readOnce(`/proc/sys/${path}`)?.trim();
    if (value === undefined) continue;
    const name = path.replaceAll('/', '.');
    yield { kind: 'sysctl', id: name, like: name, what: `${name} = ${value}`, state: value };
  }
}
