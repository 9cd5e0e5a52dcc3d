import type { IdMapping, Spec } from '../base/oci.ts';
import { cloneInto } from './clone-steps.ts';
import { reportFailures, writeText } from './common-steps.ts';
import { AT_FDCWD, CLONE, flagsOf, named, OPEN, SIGCHLD, SIGKILL } from './constants.ts';
import { joinNamespace, type NamespacePlan, namespaceFlag } from './namespace-steps.ts';
import { type OutsideHandles, openOutside } from './outside-handles.ts';
import { type Pair, pairOf } from './pair-steps.ts';
import { raiseHardLimits } from './process-steps.ts';
import type { Cell, Label } from './program.ts';
import { address, at, type ProgramBuilder } from './program-builder.ts';
import type { CgroupEntry } from './types.ts';

export interface CloneRequest {
  readonly spec: Spec;
  readonly cgroup: CgroupEntry;
  readonly namespaces: NamespacePlan;
  /** Takes the first process's id, as our own pid namespace has it. */
  readonly pid: Cell;
  /** Where we go on. The first process goes on behind this. */
  readonly parent: Label;
  /** `child`: of ours. `sibling`: of our parent; then we are the helper, where one is needed. */
  readonly as: 'child' | 'sibling';
  /** Written by the helper, before it gives up its rights. */
  readonly oomScoreAdj: number | undefined;
  /** The supplementary groups of outside stay. */
  readonly keepsGroups?: boolean;
}

/**
 * Clones the container's first process off, in its cgroups and new namespaces, with its ids mapped.
 *
 * With a user or time namespace a **helper** does that: it joins what is to be joined, the user namespace last, makes the time
 * namespace (which is for its children), and clones the first process as its sibling. That one hands a descriptor of its
 * folder in /proc over a socket, as nobody can name it yet, the helper writes its maps there and ends. What the first
 * process has no right to any more (a higher limit, a lower oom_score_adj) it inherits from the helper.
 */
export function cloneContainer(p: ProgramBuilder, request: CloneRequest): OutsideHandles | undefined {
  const { spec, cgroup, namespaces, pid, parent } = request;
  if (!namespaces.needsHelper) {
    for (const { type, path } of namespaces.joined) if (type === 'pid') joinNamespace(p, type, path);
    cloneInto(p, cgroup, namespaces.cloneFlags, pid, parent, { sibling: request.as === 'sibling' });
    return undefined;
  }
  const told = request.as === 'child' ? pairOf(p, 'pipe2', 'the helper') : undefined;
  const monitor = p.label('parent of the helper');
  const helper = p.cell('helper');
  if (told) {
    p.call('clone', [named(SIGCHLD, 'SIGCHLD'), 0, 0, 0, 0], {
      what: 'make the helper',
      result: helper,
      positive: monitor,
    });
    reportFailures(p, 'helper');
  }
  if (namespaces.user) raiseHardLimits(p, spec.process);
  if (request.oomScoreAdj !== undefined) {
    const score = String(request.oomScoreAdj);
    writeText(p, AT_FDCWD, '/proc/self/oom_score_adj', score, { what: `set oom_score_adj to ${score}` });
  }
  // Outside of the user namespace there are rights on file systems, inside not.
  const outside = namespaces.user ? openOutside(p, spec, namespaces) : undefined;
  for (const type of ['ipc', 'uts', 'network', 'cgroup', 'pid', 'time', 'user'] as const)
    for (const entry of namespaces.joined) if (entry.type === type) joinNamespace(p, type, entry.path);
  if (namespaces.isNew('time')) makeTimeNamespace(p, spec);

  const link = namespaces.user === 'new' ? pairOf(p, 'socketpair', 'the id maps') : undefined;
  const behind = p.label('helper behind the clone');
  const inContainer = p.label('first process');
  cloneInto(p, cgroup, namespaces.cloneFlags, pid, behind, { sibling: true });
  p.goto(inContainer);

  p.place(behind);
  reportFailures(p, 'helper with a child', () => {
    p.call('kill', [pid, named(SIGKILL, 'SIGKILL')], { what: 'kill the first process', errors: 'next' });
  });
  if (link) mapIds(p, spec.linux, link);
  if (told) {
    p.call('write', [told.write, address(pid.area), 8], { what: 'tell the first process’s id' });
    p.call('exit_group', [0]);
    p.place(monitor);
    reportFailures(p, 'parent of the helper');
    takeId(p, told, helper, pid);
  }
  p.goto(parent);

  p.place(inContainer);
  reportFailures(p, 'first process in its user namespace');
  if (told) for (const fd of [told.read, told.write]) p.call('close', [fd]);
  if (link) waitForIds(p, link);
  if (namespaces.user) becomeRoot(p, spec, namespaces.user, request.keepsGroups ?? false);
  return outside;
}

function makeTimeNamespace(p: ProgramBuilder, { linux }: Spec): void {
  p.call('unshare', [namespaceFlag('time')], { what: 'make a time namespace' });
  const lines = Object.entries(linux.timeOffsets ?? {}).map(
    ([clock, { secs = 0, nanosecs = 0 }]) => `${clock} ${secs} ${nanosecs}`,
  );
  if (lines.length === 0) return;
  writeText(p, AT_FDCWD, '/proc/self/timens_offsets', `${lines.join('\n')}\n`, {
    what: `set the time offsets to ${lines.join(', ')}`,
  });
}

/** The helper's part: receives the first process's folder in /proc, writes the maps, and says so. */
function mapIds(p: ProgramBuilder, maps: IdMaps, link: Pair, mapped?: (folder: Cell) => void): void {
  const control = p.buffer('received cmsghdr', 24);
  const message = p.linked('msghdr', messageHeader(), [
    { offset: 16, to: address(oneByte(p)) },
    { offset: 32, to: address(control) },
  ]);
  const gone = p.label('first process gone');
  const written = p.label('ids mapped');
  const denied = p.label('setgroups is to be denied');
  const folder = p.cell('/proc folder');
  p.call('close', [link.write]);
  p.call('recvmsg', [link.read, address(message), named(0x40000000, 'MSG_CMSG_CLOEXEC')], {
    what: 'take the first process’s /proc folder',
    zero: gone,
  });
  p.local(at(control, 16), { mask: 0xffffffffn, result: folder });
  const uids = mapText(maps.uidMappings ?? []);
  writeText(p, folder, 'uid_map', uids.file, {
    what: `map the user ids ${uids.words} (without privileges only one's own id can be mapped)`,
  });
  const gids = mapText(maps.gidMappings ?? []);
  const what = `map the group ids ${gids.words} (without privileges only one's own id can be mapped)`;
  const fd = p.cell('gid_map');
  p.call('openat', [folder, p.text('gid_map'), flagsOf('O_', OPEN, ['WRONLY', 'CLOEXEC'])], {
    what,
    result: fd,
  });
  p.call('write', [fd, p.text(gids.file), gids.file.length], { what, errors: { EPERM: denied } });
  p.call('close', [fd]);
  p.goto(written);
  p.place(denied);
  // user_namespaces(7): who has no privileges outside may map groups only when nobody inside can drop one.
  writeText(p, folder, 'setgroups', 'deny', { what: 'deny setgroups' });
  writeText(p, folder, 'gid_map', gids.file, { what });
  p.place(written);
  mapped?.(folder);
  p.call('close', [folder]);
  p.call('write', [link.read, p.text('.'), 1], { what: 'let the first process go on' });
  p.call('close', [link.read]);
  const done = p.label('maps done');
  p.goto(done);
  p.place(gone);
  p.call('exit_group', [1]);
  p.place(done);
}

/** The first process's part. */
function waitForIds(p: ProgramBuilder, link: Pair): void {
  const folder = p.cell('/proc/self');
  const stop = p.label('helper gone');
  const mapped = p.label('mapped');
  p.call('close', [link.read]);
  p.call('openat', [AT_FDCWD, p.text('/proc/self'), flagsOf('O_', OPEN, ['PATH', 'CLOEXEC'])], {
    what: 'open /proc/self',
    result: folder,
  });
  const control = p.bytes('cmsghdr {SCM_RIGHTS}', rightsHeader());
  p.copy(folder, at(control, 16));
  const message = p.linked('msghdr', messageHeader(20n), [
    { offset: 16, to: address(oneByte(p)) },
    { offset: 32, to: address(control) },
  ]);
  p.call('sendmsg', [link.write, address(message), named(0x4000, 'MSG_NOSIGNAL')], {
    what: 'hand the /proc folder to the helper',
  });
  p.call('close', [folder]);
  p.call('read', [link.write, address(p.buffer('word', 8)), 1], {
    what: 'wait for the id maps',
    errors: { ECONNRESET: stop },
    zero: stop,
    positive: mapped,
  });
  p.place(stop);
  p.call('exit_group', [1]);
  p.place(mapped);
  p.call('close', [link.write]);
}

/**
 * A user namespace with these maps and nobody in it: for mounts. Made by a process that ends when its ids are mapped, and kept by the
 * descriptor.
 */
export function makeUserNamespace(p: ProgramBuilder, maps: IdMaps): Cell {
  const link = pairOf(p, 'socketpair', 'the id maps of a mount');
  const [pid, userns] = [p.cell('process for ids'), p.cell('user namespace')];
  const behind = p.label('process for ids made');
  const flags = named(CLONE.NEWUSER | SIGCHLD, 'CLONE_NEWUSER|SIGCHLD');
  p.call('clone', [flags, 0, 0, 0, 0], { what: 'make a user namespace', result: pid, positive: behind });
  waitForIds(p, link);
  p.call('exit_group', [0]);
  p.place(behind);
  mapIds(p, maps, link, (folder) => {
    p.call('openat', [folder, p.text('ns/user'), flagsOf('O_', OPEN, ['RDONLY', 'CLOEXEC'])], {
      what: 'open the user namespace',
      result: userns,
    });
  });
  p.call('wait4', [pid, 0, 0, 0], { what: 'wait for the process for ids' });
  return userns;
}

type IdMaps = Pick<Spec['linux'], 'uidMappings' | 'gidMappings'>;

/** Root inside, so that files are made with ids that exist there; all capabilities stay. */
function becomeRoot(p: ProgramBuilder, { linux }: Spec, user: 'new' | 'joined', keepsGroups: boolean): void {
  const has = (maps: readonly IdMapping[] = []) => user === 'joined' || toHostId(0, maps) !== undefined;
  if (!keepsGroups)
    p.call('setgroups', [0, 0], { what: 'drop the groups of outside', errors: { EPERM: 'next' } });
  const unmapped = user === 'joined' ? { EINVAL: 'next' as const } : {};
  if (has(linux.gidMappings))
    p.call('setresgid', [0, 0, 0], { what: 'become group 0 of the namespace', errors: unmapped });
  if (has(linux.uidMappings))
    p.call('setresuid', [0, 0, 0], { what: 'become root of the namespace', errors: unmapped });
}

/** What an id inside is outside, or undefined where it is not mapped. */
export function toHostId(id: number, mappings: readonly IdMapping[]): number | undefined {
  const found = mappings.find(({ containerID, size }) => id >= containerID && id < containerID + size);
  return found && found.hostID + id - found.containerID;
}

function mapText(mappings: readonly IdMapping[]): { readonly file: string; readonly words: string } {
  const lines = mappings.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}`);
  const words = mappings.map(({ containerID, hostID, size }) => `${containerID}→${hostID} ×${size}`);
  return { file: `${lines.join('\n')}\n`, words: words.join(', ') };
}

/** The monitor's part. A helper that ended without a word has reported why. */
function takeId(p: ProgramBuilder, told: Pair, helper: Cell, pid: Cell): void {
  const known = p.label('id known');
  p.call('close', [told.write]);
  p.call('read', [told.read, address(pid.area), 8], { what: 'take the first process’s id', positive: known });
  p.call('wait4', [helper, 0, 0, 0], { what: 'wait for the helper', errors: 'next' });
  p.call('exit_group', [1]);
  p.place(known);
  p.call('close', [told.read]);
  p.call('wait4', [helper, 0, 0, 0], { what: 'wait for the helper' });
}

/** struct iovec of one byte: a message must have one. */
function oneByte(p: ProgramBuilder) {
  const vector = Buffer.alloc(16);
  vector.writeBigUInt64LE(1n, 8);
  return p.linked('iovec', vector, [{ offset: 0, to: address(p.bytes('a byte', Buffer.alloc(8))) }]);
}

/** struct msghdr with one iovec and room for one control message. */
function messageHeader(controlLength = 24n): Buffer {
  const bytes = Buffer.alloc(56);
  bytes.writeBigUInt64LE(1n, 24);
  bytes.writeBigUInt64LE(controlLength, 40);
  return bytes;
}

function rightsHeader(): Buffer {
  const bytes = Buffer.alloc(24);
  bytes.writeBigUInt64LE(20n, 0);
  bytes.writeInt32LE(1, 8);
  bytes.writeInt32LE(1, 12);
  return bytes;
}
