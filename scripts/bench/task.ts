import type { Sample } from './interleave.ts';
import type { World } from './world.ts';

export type Subject =
  | 'hull'
  | 'hull-bundle'
  | 'hull-oci'
  | 'hull-oci (warm)'
  | 'crun'
  | 'runc'
  | 'unshare'
  | 'docker'
  | 'umoci';

/** A subject in a task, ready to be measured. Disposing takes back what it made for it. */
export interface Ready extends AsyncDisposable {
  readonly sample: Sample;
}

export interface Contender {
  readonly subject: Subject;
  readonly driver?: string;
  /**
   * Probes and readies it. A throw says why it cannot be measured here: the message is printed as the reason.
   * The driver has done one sample before anything counts, so what only fails then is a reason too.
   */
  readonly open: (world: World) => Promise<Ready>;
}

/** One thing to measure. Its story is `about`, for --list. */
export interface Task {
  readonly name: string;
  readonly about: string;
  /** Bytes that one sample moves, with a payload of so many MiB: its results are speeds. Absent: times. */
  readonly bytes?: (payload: number) => number;
  /** The subject whose median is 1 in the table, the first of these that was measured. */
  readonly references: readonly Subject[];
  readonly contenders: readonly Contender[];
}

/** `hull` or `hull/vfs`. */
export function nameOf({
  subject,
  driver,
}: {
  readonly subject: string;
  readonly driver?: string | undefined;
}): string {
  return driver === undefined ? subject : `${subject}/${driver}`;
}
