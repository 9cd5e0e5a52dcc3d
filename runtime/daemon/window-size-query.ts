import { HullError } from '../base/errors.ts';
import type { WindowSize } from '../launch/window-size.ts';
import { integerOf } from './call.ts';

/** Query parameters `h` and `w`, in characters. Kind `invalid` names what does not fit. */
export function windowSizeOf(query: URLSearchParams): WindowSize {
  return { height: cellsOf(query, 'h'), width: cellsOf(query, 'w') };
}

function cellsOf(query: URLSearchParams, name: string): number {
  const value = integerOf(query, name);
  if (value !== undefined && value >= 0 && value <= 65_535) return value;
  throw new HullError(
    `Cannot resize the terminal: query parameter ${name}: found ${value ?? 'nothing'}, wanted a number from 0 to 65535`,
    { kind: 'invalid' },
  );
}
