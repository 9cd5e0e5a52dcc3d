import type { CreateRequest } from './create-request.ts';
import type { MountPoint } from './mounts/mount-point.ts';

/**
 * # A container's record
 *
 * `<data-root>/containers/<id>/container.json` (`transient.json`), replaced as a whole. The intent is written before the deed and the
 * outcome after it, so a daemon that finds a record after a crash knows what may exist: a `creating` container may
 * have a layer, a `starting` one may have a process, a `removing` one may have anything left.
 *
 *     creating → created → starting → running ⇄ paused
 *                   ↑          │          │
 *                   └── failed ┘          ↓
 *              restarting ⇄ starting ← exited → removing → (absent)
 */
export interface ContainerRecord {
  readonly format: 1;
  readonly id: string;
  /** Without the slash that the API puts in front. */
  readonly name: string;
  /** The storage driver that its layer is in. */
  readonly driver: string;
  readonly createdAt: string;
  /** The image as it was asked for, and its id. */
  readonly image: { readonly reference: string; readonly id: string };
  /** What the client sent, with the image's defaults merged in. */
  readonly config: ContainerConfig;
  /** Volumes, binds and tmpfs, as they were resolved when it was created. */
  readonly mounts: readonly MountPoint[];
  readonly state: ContainerState;
  /** An instruction of a build is made in it: one that a daemon finds at its start is removed, since that build is over. */
  readonly forBuild?: boolean;
  /** A stop, kill or client's wish keeps `unless-stopped` from starting it again. */
  readonly stoppedByUser: boolean;
  readonly restartCount: number;
  /** The last thing that went wrong with it, '' for nothing; in words for `docker inspect`. */
  readonly error: string;
  /** What holds the released root file system, as long as the release is not finished. */
  readonly heldBy?: string;
}

export interface ContainerConfig extends Omit<CreateRequest, 'Cmd' | 'Entrypoint'> {
  readonly Cmd?: readonly string[];
  readonly Entrypoint?: readonly string[];
}

export type ContainerState =
  | { readonly kind: 'creating' }
  /** `exitCode` is that of a start that failed: 126, 127 or 128. */
  | { readonly kind: 'created'; readonly exitCode: number }
  | { readonly kind: 'starting'; readonly bootId: string; readonly last?: Run }
  | RunningState
  | ExitedState
  | (Run & { readonly kind: 'restarting'; readonly attempt: number })
  /** `volumes`: those that nobody named go with it. */
  | { readonly kind: 'removing'; readonly last?: Run; readonly volumes?: boolean }
  /** Its record could not be read; it can only be removed. Never written. */
  | { readonly kind: 'broken' };

export interface RunningState {
  readonly kind: 'running' | 'paused';
  readonly pid: number;
  readonly monitorPid: number;
  readonly startTicks: string;
  readonly startedAt: string;
  readonly bootId: string;
  /** How often in a row the restart policy has started it. */
  readonly attempt: number;
}

/** One finished run. */
export interface Run {
  readonly exitCode: number;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly oomKilled: boolean;
}

export interface ExitedState extends Run {
  readonly kind: 'exited';
}

/**
 * After a power cut it would be removed by the next start whatever is found of it, so nothing of it has to be on the disk. One with volumes has:
 * those that nobody named go with it, and its record knows them.
 */
export function isTransient({ config, mounts }: Pick<ContainerRecord, 'config' | 'mounts'>): boolean {
  return config.HostConfig.AutoRemove && mounts.every(({ type }) => type !== 'volume');
}

/** The states in which processes of the container exist. */
export function isAlive(state: ContainerState): state is RunningState {
  return state.kind === 'running' || state.kind === 'paused';
}

/** The last finished run, where there is one. */
export function lastRun(state: ContainerState): Run | undefined {
  if (state.kind === 'exited' || state.kind === 'restarting') return state;
  return state.kind === 'starting' || state.kind === 'removing' ? state.last : undefined;
}

/** Docker's word for the state (State.Status). */
export function statusOf(state: ContainerState): DockerStatus {
  switch (state.kind) {
    case 'creating':
    case 'created':
      return 'created';
    case 'starting':
      return state.last ? 'exited' : 'created';
    case 'broken':
      return 'dead';
    case 'running':
    case 'paused':
    case 'exited':
    case 'restarting':
    case 'removing':
      return state.kind;
    default:
      return state satisfies never;
  }
}

export type DockerStatus = 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';
