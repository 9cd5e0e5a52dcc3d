import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { codeOf, HullError } from '../base/errors.ts';
import type { Spec } from '../base/oci.ts';
import type { ResctrlPlace } from '../cgroups/resctrl.ts';
import type { Manager } from '../cgroups/systemd/systemctl.ts';
import type { LaunchStep } from '../launch/types.ts';

/** A container of the command line, as its state file has it (names as runc's state.json, as far as it has them). */
export interface ContainerState {
  readonly id: string;
  /** 0 until there is one. */
  readonly init_process_pid: number;
  readonly init_process_start: number;
  /** ISO 8601. */
  readonly created: string;
  readonly bundle: string;
  readonly rootfs: string;
  readonly owner: string;
  /** Below every hierarchy's root; absent where the container has no cgroup. */
  readonly cgroup_path?: string;
  /** Where it is in resctrl. */
  readonly intel_rdt?: ResctrlPlace;
  /** Whose systemd has made the cgroup, as a unit. */
  readonly systemd?: Manager;
  /** Mounts at the root before the container's own, where it has no mount namespace. */
  readonly mounts_at_root?: number;
  readonly config: Spec;
  readonly start_steps: readonly LaunchStep[];
}

export interface StateFiles {
  readonly folder: string;
  readonly state: string;
  readonly startFifo: string;
  readonly outcomeFifo: string;
  readonly creating: string;
  readonly created: string;
}

export function stateFiles(root: string, id: string): StateFiles {
  checkId(id);
  const folder = join(root, id);
  const file = (name: string) => join(folder, name);
  return {
    folder,
    state: file('state.json'),
    startFifo: file('exec.fifo'),
    outcomeFifo: file('outcome.fifo'),
    creating: file('hooks-creating.json'),
    created: file('hooks-created.json'),
  };
}

function checkId(id: string): void {
  if (/^[\w+.-]+$/.test(id) && id !== '.' && id !== '..' && id.length <= 1024) return;
  throw new HullError(
    `Cannot use container id ${JSON.stringify(id)}: invalid id format, wanted letters, digits and "_+.-"`,
    { kind: 'invalid' },
  );
}

/** Takes the id: its folder. Kind `conflict` where another container has it. */
export function reserveId(root: string, id: string): StateFiles {
  const files = stateFiles(root, id);
  mkdirSync(root, { recursive: true, mode: 0o711 });
  try {
    mkdirSync(files.folder, { mode: 0o711 });
  } catch (cause) {
    if (codeOf(cause) !== 'EEXIST') throw cause;
    throw new HullError(`Cannot create container ${id}: container with given ID already exists`, {
      kind: 'conflict',
      cause,
    });
  }
  return files;
}

/** Written beside its place and renamed: a reader sees a whole one. The folder is on a tmpfs, so nothing is flushed. */
export function writeState(files: StateFiles, state: ContainerState): void {
  const temporary = `${files.state}.tmp`;
  writeFileSync(temporary, JSON.stringify(state), { mode: 0o600 });
  renameSync(temporary, files.state);
}

/** Kind `not-found` where there is no such container. */
export function readState(root: string, id: string): ContainerState {
  const files = stateFiles(root, id);
  let text: string;
  try {
    text = readFileSync(files.state, 'utf8');
  } catch (cause) {
    if (codeOf(cause) !== 'ENOENT') throw cause;
    throw new HullError(`container ${id} does not exist`, { kind: 'not-found', cause });
  }
  try {
    return JSON.parse(text) as ContainerState;
  } catch (cause) {
    throw new HullError(`Cannot read ${JSON.stringify(files.state)}: found no JSON`, {
      kind: 'invalid',
      cause,
    });
  }
}

/** Ids in the order of their names; none where nothing was ever created. */
export function listIds(root: string): readonly string[] {
  try {
    return readdirSync(root)
      .filter((name) => lstatSync(join(root, name)).isDirectory())
      .sort();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Its files one by one, as these are all there is; the long way only where somebody has put a folder in. */
export function removeState({ folder }: StateFiles): void {
  try {
    for (const name of readdirSync(folder)) unlinkSync(join(folder, name));
    rmdirSync(folder);
  } catch {
    rmSync(folder, { recursive: true, force: true });
  }
}
