/** What the words before the verb say. */
export interface Context {
  /** Folder of all containers' states. */
  readonly root: string;
  readonly log?: string;
  readonly logFormat: 'text' | 'json';
  readonly debug: boolean;
  readonly cgroups: 'cgroupfs' | 'disabled';
}
