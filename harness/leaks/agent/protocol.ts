import type { Allowance, Difference, StateFolder } from '../types.ts';

/** One JSON object a line on the agent's stdin. Answers may come in any order, under the request's number. */
export type Request = { readonly number: number } & (
  | { readonly command: 'configure'; readonly stateFolders: readonly StateFolder[] }
  | { readonly command: 'snapshot' }
  | {
      readonly command: 'diff';
      readonly since: number;
      readonly deadlineMs: number;
      readonly ignore: readonly Allowance[];
    }
  | { readonly command: 'holders'; readonly path: string }
  | { readonly command: 'mountinfo' }
);

/** What each command is answered with. */
export interface Answers {
  readonly configure: null;
  readonly snapshot: {
    readonly id: number;
    readonly durationMs: number;
    readonly notLookedAt: readonly string[];
  };
  /** `look` is the snapshot of what was seen last. */
  readonly diff: {
    readonly differences: readonly Difference[];
    readonly look: Answers['snapshot'];
  };
  readonly holders: readonly string[];
  readonly mountinfo: string;
}

export type Answer =
  | { readonly number: number; readonly result: Answers[keyof Answers] }
  | { readonly number: number; readonly error: string };

/** The agent's first line. */
export interface Ready {
  readonly ready: true;
  readonly pid: number;
}
