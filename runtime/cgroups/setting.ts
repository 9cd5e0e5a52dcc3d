import type { Resources } from '../base/oci.ts';

/** One limit as the kernel takes it: this value, written to this file of the group, in this controller's hierarchy. */
export interface Setting {
  readonly controller: string;
  readonly file: string;
  readonly value: string;
}

/** What a group has now, as far as the order of writes depends on it; absent for a new group. */
export interface CurrentLimits {
  /** v1 memory.memsw.limit_in_bytes. */
  readonly memoryAndSwap?: number;
}

/** How one controller turns `Resources` into settings, in the order they must be written. Pure: nothing is read or written. */
export interface Controller {
  readonly name: string;
  /** Settings for a v1 hierarchy. Throws `invalid` or `unsupported` for what v1 cannot express. */
  v1(resources: Resources, current: CurrentLimits): readonly Setting[];
  v2(resources: Resources): readonly Setting[];
}

/** v1 wants -1 for "no limit", v2 the word. */
export const unlimitedV2 = (value: number): string => (value < 0 ? 'max' : String(value));
