import type { Resources } from '../base/oci.ts';

/** One limit as the kernel takes it: this value, written to this file of the group, in this controller's hierarchy. */
export interface Setting {
  readonly controller: string;
  readonly file: string;
  readonly value: string;
  /** Written where the group has no such file: another kernel's name for the same. */
  readonly otherwise?: { readonly file: string; readonly value: string };
  /** Where neither file is there nothing is lost: another setting has said it. */
  readonly optional?: true;
}

/** What a group has now, as far as settings depend on it; absent for a new group. -1 is no limit. */
export interface CurrentLimits {
  /** v1 memory.memsw.limit_in_bytes. */
  readonly memoryAndSwap?: number;
  /** v1 memory.limit_in_bytes, v2 memory.max. */
  readonly memory?: number;
  /** v1 cpu.cfs_quota_us, v2 cpu.max. */
  readonly quota?: number;
  readonly period?: number;
}

/** How one controller turns `Resources` into settings, in the order they are best written. Pure: nothing is read or written. */
export interface Controller {
  /** v1's name. */
  readonly name: string;
  /** v2's, where it is another. */
  readonly nameV2?: string;
  /** Settings for a v1 hierarchy. Throws `invalid` or `unsupported` for what v1 cannot express. */
  v1(resources: Resources, current: CurrentLimits): readonly Setting[];
  v2(resources: Resources, current: CurrentLimits): readonly Setting[];
}

/** v1 wants -1 for "no limit", v2 the word. */
export const unlimitedV2 = (value: number): string => (value < 0 ? 'max' : String(value));
