import { HullError } from '../base/errors.ts';

/**
 * To the kernel a text ends at a NUL: `/srv\0/x` would be mounted as `/srv`, and a command would lose the rest of an argument. Kind
 * `invalid` names the field of the body.
 */
export function refuseNul(action: string, value: unknown, field = ''): void {
  if (typeof value === 'string' && value.includes('\0')) {
    throw new HullError(
      `Cannot ${action}: ${field}: found ${JSON.stringify(value)}, wanted text without NUL`,
      { kind: 'invalid' },
    );
  }
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    refuseNul(action, key, field || 'the body');
    refuseNul(action, inner, field === '' ? key : `${field}.${key}`);
  }
}
