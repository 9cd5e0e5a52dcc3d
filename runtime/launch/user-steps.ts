import type { Capabilities, Process, Spec } from '../base/oci.ts';
import { capabilityNames, capabilityNumbers } from './capabilities.ts';
import { dieWithParent } from './common-steps.ts';
import { named, PRCTL } from './constants.ts';
import { address, type ProgramBuilder } from './program-builder.ts';

/**
 * Becomes the user of the container. The order is LAUNCH's: bounding set, keepcaps, groups, gid, uid, capset, ambient
 * set, PDEATHSIG (a change of user clears it), no_new_privs.
 *
 * `loadsFilter`: a seccomp filter follows. Without no_new_privs that takes CAP_SYS_ADMIN, so that one is kept in the permitted and
 * effective sets. It does not outlive the execve: there the kernel makes both sets anew, of the bounding (root's), inheritable and
 * ambient sets and the file (capabilities(7)), and never of the permitted set before.
 */
export function becomeUser(
  p: ProgramBuilder,
  process: Process,
  options: {
    readonly loadsFilter: boolean;
    readonly ownUserNamespace?: boolean;
    readonly keepsGroups?: boolean;
    readonly diesWithParent: boolean;
  },
): void {
  const { user } = process;
  const keepsAdmin = options.loadsFilter && !process.noNewPrivileges;
  // Without a word about capabilities they stay as they are; a change of user clears them.
  const onlyAdmin = process.capabilities === undefined && keepsAdmin && user.uid !== 0;
  const capabilities = onlyAdmin ? {} : process.capabilities;
  if (capabilities) {
    if (!onlyAdmin) dropBounding(p, capabilities);
    p.call('prctl', [named(PRCTL.SET_KEEPCAPS, 'PR_SET_KEEPCAPS'), 1, 0, 0, 0], {
      what: 'keep capabilities',
    });
  }
  if (!options.keepsGroups) setGroups(p, user.additionalGids ?? [], options.ownUserNamespace ?? false);
  p.call('setresgid', [user.gid, user.gid, user.gid], { what: `become group ${user.gid}` });
  p.call('setresuid', [user.uid, user.uid, user.uid], { what: `become user ${user.uid}` });
  if (capabilities) setCapabilities(p, capabilities, keepsAdmin ? ['CAP_SYS_ADMIN'] : []);
  if (options.diesWithParent) dieWithParent(p);
  p.call('umask', [user.umask ?? 0o022]);
  if (process.noNewPrivileges)
    p.call('prctl', [named(PRCTL.SET_NO_NEW_PRIVS, 'PR_SET_NO_NEW_PRIVS'), 1, 0, 0, 0], {
      what: 'set no_new_privs',
    });
}

/** crun's annotation, which podman sets for `--group-add keep-groups`: files of the caller's groups stay within reach. */
export const keepsGroups = ({ annotations }: Spec): boolean =>
  annotations?.['run.oci.keep_original_groups'] === '1';

function setGroups(p: ProgramBuilder, groups: readonly number[], ownUserNamespace: boolean): void {
  const list = Buffer.alloc(Math.max(groups.length, 1) * 4);
  for (const [index, gid] of groups.entries()) list.writeUInt32LE(gid, index * 4);
  p.call('setgroups', [groups.length, address(p.bytes('groups', list, `[${groups.join(', ')}]`))], {
    what: `set the groups to [${groups.join(', ')}]`,
    // Denied in the user namespace of somebody without privileges, who has no groups to drop either.
    ...(ownUserNamespace && groups.length === 0 ? { errors: { EPERM: 'next' } } : {}),
  });
}

function dropBounding(p: ProgramBuilder, capabilities: Capabilities): void {
  const bounding = capabilityNumbers(capabilities.bounding ?? []);
  for (const [number, name] of capabilityNames.entries())
    if (!bounding.has(number))
      p.call('prctl', [named(PRCTL.CAPBSET_DROP, 'PR_CAPBSET_DROP'), named(number, name), 0, 0, 0], {
        what: `drop ${name} from the bounding set`,
        errors: { EINVAL: 'next' },
      });
}

function setCapabilities(p: ProgramBuilder, capabilities: Capabilities, kept: readonly string[]): void {
  const { effective = [], permitted = [], inheritable = [], ambient = [] } = capabilities;
  const sets = [[...effective, ...kept], [...permitted, ...kept], inheritable].map((names) =>
    [...capabilityNumbers(names)].reduce((mask, number) => mask | (1n << BigInt(number)), 0n),
  );
  // Two structs of three 32-bit words: the lower halves of effective, permitted and inheritable, then the upper ones.
  const data = Buffer.alloc(24);
  for (const [index, mask] of sets.entries()) {
    data.writeUInt32LE(Number(mask & 0xffffffffn), index * 4);
    data.writeUInt32LE(Number(mask >> 32n), 12 + index * 4);
  }
  const version3 = Buffer.alloc(8);
  version3.writeUInt32LE(0x20080522);
  p.call(
    'capset',
    [address(p.bytes('capability header', version3)), address(p.bytes('capabilities', data))],
    {
      what: 'set the capabilities',
    },
  );
  const ambientSet = named(PRCTL.CAP_AMBIENT, 'PR_CAP_AMBIENT');
  p.call('prctl', [ambientSet, named(4, 'PR_CAP_AMBIENT_CLEAR_ALL'), 0, 0, 0], {
    what: 'clear the ambient set',
  });
  // The kernel refuses what is not both; `runc spec` has such lists, and runc passes over them.
  const raisable = ambient.filter((name) => permitted.includes(name) && inheritable.includes(name));
  capabilityNumbers(ambient);
  for (const number of capabilityNumbers(raisable)) {
    const name = capabilityNames[number] ?? '';
    p.call('prctl', [ambientSet, named(2, 'PR_CAP_AMBIENT_RAISE'), named(number, name), 0, 0], {
      what: `raise ${name} in the ambient set`,
    });
  }
}
