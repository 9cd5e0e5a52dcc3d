import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { Cleanup } from '../base/cleanup.ts';
import { HullError } from '../base/errors.ts';
import type { Hook, Process, Spec } from '../base/oci.ts';
import type { Cgroup } from '../cgroups/cgroup.ts';
import { type DetachedRequest, needsSync } from '../launch/compile-detached.ts';
import { createDetached } from '../launch/launch-detached.ts';
import { hasSelinux } from '../launch/process-attributes-steps.ts';
import type { Context } from './context.ts';
import { withGrantable } from './grantable.ts';
import { giveGroup } from './group-owner.ts';
import { createGroup, groupPlaceOf } from './groups.ts';
import { withHome } from './home.ts';
import { needOwnProcessForHooks, runHooks } from './hooks.ts';
import { debug, warn } from './messages.ts';
import { ownCgroups } from './own-cgroups.ts';
import { inUserNamespace, isPrivileged } from './privileges.ts';
import { readBundle } from './read-bundle.ts';
import { handOverListener, needOwnProcessForListener } from './seccomp-agent.ts';
import { countMounts, removeOwnMounts, sharesMounts } from './shared-mounts.ts';
import { type ContainerState, removeState, reserveId, writeState } from './state-store.ts';
import { stateView } from './status.ts';
import { withinReach } from './within-reach.ts';

export interface CreateOptions {
  readonly id: string;
  readonly bundle: string;
  /** Instead of the bundle's config.json. */
  readonly config?: string | undefined;
  readonly pidFile?: string | undefined;
  readonly consoleSocket?: string | undefined;
  readonly preserveFds: number;
  readonly noPivot: boolean;
  /** The caller takes the terminal over, where there is no console socket. */
  readonly foreground: boolean;
  /** What the caller has to do anyway, while the program is making the container. */
  readonly meanwhile?: () => Promise<void>;
}

export interface Created {
  readonly state: ContainerState;
  /** Undefined where it has none of its own. */
  readonly group: Cgroup | undefined;
}

/** Afterwards the container's first process waits for `start`, or nothing of it is there. */
export async function createContainer(context: Context, options: CreateOptions): Promise<Created> {
  const { id } = options;
  const { folder, rootfs, spec: written } = readBundle(options.bundle, options.config);
  const passOver = (text: string) => warn(context, text);
  const reachable = withinReach(written, passOver);
  const granted = withGrantable(reachable.process, reachable.linux.namespaces, passOver);
  const spec = { ...reachable, process: granted };
  debug(context, `container ${id}: bundle ${folder}, root ${rootfs}`);
  checkTerminal(spec, options);
  if (spec.linux.mountLabel && !hasSelinux())
    warn(context, 'linux.mountLabel is passed over: SELinux is not enabled in this kernel');
  if (spec.process.terminal && options.consoleSocket === undefined)
    context.caller.needOwnProcess('the terminal is copied');
  needOwnProcessForHooks(context.caller, spec.hooks);
  needOwnProcessForListener(context, spec.linux.seccomp);
  if (context.cgroups === 'systemd') context.caller.needOwnProcess('systemd makes the cgroup');
  await using undo = new Cleanup();
  const files = reserveId(context.root, id);
  undo.push(() => removeState(files));
  const place = await groupPlaceOf(context.cgroups, spec, id);
  const { intelRdt } = spec.linux;
  const rdt = intelRdt && (await import('./intel-rdt.ts')).placeOf(intelRdt, id);
  let state: ContainerState = {
    id,
    init_process_pid: 0,
    init_process_start: 0,
    created: new Date().toISOString(),
    bundle: folder,
    rootfs,
    owner: ownerName(),
    ...(place ? { cgroup_path: place.path } : {}),
    ...(place?.systemd ? { systemd: place.systemd } : {}),
    ...(rdt ? { intel_rdt: rdt.place } : {}),
    ...(sharesMounts(spec) ? { mounts_at_root: countMounts(rootfs) } : {}),
    config: spec,
    start_steps: [],
  };
  undo.push(() => removeOwnMounts(state));
  // Before anything is made that it could lead a later `delete` to.
  writeState(files, state);
  const taken = place && (await createGroup(place, spec));
  const group = taken?.group;
  debug(
    context,
    `container ${id}: ${group ? `in cgroup ${place?.path}` : 'stays in the cgroups of the caller'}`,
  );
  if (!group) state = withoutGroup(state);
  if (taken && taken.found > 0)
    warn(context, `container's cgroup is not empty: ${taken.found} process(es) found`);
  else if (group) {
    undo.push(() => group.remove());
    if (isPrivileged()) giveGroup(group.entry, spec);
  }
  if (rdt) {
    undo.push(() => rdt.remove());
    rdt.make();
  }
  const notify = process.env.NOTIFY_SOCKET ? await import('./notify-socket.ts') : undefined;
  const wanted = { ...spec, process: withSockets(await withHome(spec.process, rootfs)) };
  const request: DetachedRequest = {
    id,
    spec: withHooksEnvironment(withLimits(context, notify?.withNotifyFolder(wanted, files) ?? wanted)),
    rootMounts: [{ type: 'bind', source: rootfs, target: '', options: ['rbind'] }],
    cgroup: { ...(group?.entry ?? { v1Procs: [] }), ...(rdt ? { resctrl: rdt.place.tasks } : {}) },
    noPivot: options.noPivot,
    startFifo: files.startFifo,
    outcomeFifo: files.outcomeFifo,
    stateFiles: { creating: files.creating, created: files.created },
    preservedDescriptors: options.preserveFds,
    ...(inUserNamespace() ? { inUserNamespace: true } : {}),
    ...(group ? {} : { shownCgroups: await ownCgroups() }),
    ...(options.consoleSocket === undefined ? {} : { consoleSocket: options.consoleSocket }),
  };
  if (needsSync(request))
    for (const path of [files.creating, files.created]) writeFileSync(path, '', { mode: 0o600 });
  const { pid, startTicks, startSteps } = await createDetached(request, context.caller.hands, {
    meanwhile: options.meanwhile ?? (async () => undefined),
    atSync(first) {
      state = { ...state, init_process_pid: first };
      const view = stateView(state, 'creating');
      writeFileSync(files.creating, JSON.stringify(view), { mode: 0o600 });
      writeFileSync(files.created, JSON.stringify({ ...view, status: 'created' }), { mode: 0o600 });
      runHooks('prestart', spec.hooks?.prestart, view, folder);
      runHooks('createRuntime', spec.hooks?.createRuntime, view, folder);
    },
    async atListener(first, descriptor) {
      const view = stateView({ ...state, init_process_pid: first }, 'creating');
      await handOverListener(context, spec.linux.seccomp, { pid: first, descriptor, state: view });
    },
  });
  undo.push(() => killFirst(pid));
  await group?.entered();
  state = {
    ...state,
    init_process_pid: pid,
    init_process_start: Number(startTicks),
    start_steps: startSteps,
  };
  writeState(files, state);
  debug(context, `container ${id}: process ${pid} is set up in its namespaces and waits for the start`);
  if (options.pidFile !== undefined) writePidFile(options.pidFile, pid);
  undo.commit();
  return { state, group };
}

function withoutGroup({ cgroup_path: _, ...state }: ContainerState): ContainerState {
  return state;
}

/** Whole or not there: who waits for it reads it at once. */
export function writePidFile(path: string, pid: number): void {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}`);
  try {
    writeFileSync(temporary, String(pid), { mode: 0o644 });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

function checkTerminal(spec: Spec, { consoleSocket, foreground }: CreateOptions): void {
  if (spec.process.terminal) {
    if (consoleSocket !== undefined || foreground) return;
    throw new HullError(
      'Cannot create the container: cannot allocate tty if runc will detach without setting console socket',
      {
        kind: 'invalid',
      },
    );
  }
  if (consoleSocket !== undefined)
    throw new HullError(
      'Cannot create the container: cannot use console socket if runc will not detach or allocate tty',
      { kind: 'invalid' },
    );
}

function withLimits({ caller }: Context, spec: Spec): Spec {
  const rlimits = spec.process.rlimits ?? [];
  if (rlimits.some(({ type }) => type === 'RLIMIT_NOFILE')) return spec;
  const limit = caller.openFiles();
  if (!limit) return spec;
  const withOurs = [...rlimits, { type: 'RLIMIT_NOFILE', ...limit }];
  return { ...spec, process: { ...spec.process, rlimits: withOurs } };
}

/** Socket activation: the process is told of the sockets as the first of its pid namespace (sd_listen_fds(3)). */
function withSockets(wanted: Process): Process {
  const count = process.env.LISTEN_FDS;
  if (count === undefined) return wanted;
  return { ...wanted, env: [...(wanted.env ?? []), `LISTEN_FDS=${count}`, 'LISTEN_PID=1'] };
}

/** A hook without a word about its environment has ours. */
function withHooksEnvironment(spec: Spec): Spec {
  const { createContainer, startContainer } = spec.hooks ?? {};
  if (!createContainer && !startContainer) return spec;
  const own = Object.entries(process.env).map(([name, value]) => `${name}=${value}`);
  const complete = (hooks: readonly Hook[] = []) => hooks.map((hook) => ({ ...hook, env: hook.env ?? own }));
  return {
    ...spec,
    hooks: {
      ...spec.hooks,
      createContainer: complete(createContainer),
      startContainer: complete(startContainer),
    },
  };
}

function killFirst(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

function ownerName(): string {
  try {
    return userInfo().username;
  } catch {
    return '';
  }
}
