import { HullError } from '../base/errors.ts';

/** Docker's own: ctrl-p, ctrl-q. */
const defaultKeys: readonly number[] = [16, 17];

const control = '@abcdefghijklmnopqrstuvwxyz[\\]^_';

/**
 * The bytes of `ctrl-p,ctrl-q`, `a,b,DEL`: what a client types to leave a terminal and let it go on. Empty: Docker's own.
 * Kind `invalid` names the text.
 */
export function parseDetachKeys(text: string): readonly number[] {
  if (text === '') return defaultKeys;
  return text.split(',').map((key) => {
    if (/^[\x20-\x7e]$/.test(key)) return key.charCodeAt(0);
    if (key === 'DEL') return 127;
    const at = key.startsWith('ctrl-') ? control.indexOf(key.slice('ctrl-'.length).toLowerCase()) : -1;
    if (at >= 0 && key.length === 'ctrl-x'.length) return at;
    throw new HullError(
      `Invalid detach keys (${text}) provided: found ${JSON.stringify(key)}, wanted one character, DEL, or ctrl- and one of ${control}`,
      { kind: 'invalid' },
    );
  });
}

/**
 * The input without the keys: ends when they were typed in a row (`onDetach` tells), else with the input. A beginning of them that
 * turns out to be something else is passed on.
 */
export async function* untilDetached(
  input: AsyncIterable<Buffer>,
  keys: readonly number[],
  onDetach: () => void,
): AsyncGenerator<Buffer> {
  let matched = 0;
  for await (const chunk of input) {
    const passed: number[] = [];
    for (const byte of chunk) {
      if (byte !== keys[matched]) {
        passed.push(...keys.slice(0, matched));
        matched = 0;
      }
      if (byte !== keys[matched]) passed.push(byte);
      else if (++matched === keys.length) {
        if (passed.length > 0) yield Buffer.from(passed);
        onDetach();
        return;
      }
    }
    if (passed.length > 0) yield Buffer.from(passed);
  }
  if (matched > 0) yield Buffer.from(keys.slice(0, matched));
}
