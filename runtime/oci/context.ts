import type { Caller } from './caller.ts';

/** Whose call it is, and what the words before the verb say. */
export interface Context {
  readonly caller: Caller;
  /** Folder of all containers' states. */
  readonly root: string;
  readonly log?: string;
  readonly logFormat: 'text' | 'json';
  readonly debug: boolean;
  readonly cgroups: 'cgroupfs' | 'systemd' | 'disabled';
}
