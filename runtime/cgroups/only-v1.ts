import { HullError } from '../base/errors.ts';

/** For a wish that version 2 has no words for. */
export function onlyV1(field: string, reason: string): HullError {
  return new HullError(`Cannot set ${field}: found cgroup v2, where ${reason}; wanted cgroup v1`, {
    kind: 'unsupported',
  });
}
