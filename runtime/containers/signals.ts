import { constants } from 'node:os';
import { HullError } from '../base/errors.ts';

/** The number of `SIGTERM`, `TERM`, `15`, `RTMIN+3` or `SIGRTMAX-1`. Kind `invalid` for anything else (signal(7)). */
export function parseSignal(text: string): number {
  const bare = text.trim().toUpperCase().replace(/^SIG/, '');
  if (/^\d+$/.test(bare)) {
    const number = Number(bare);
    if (number >= 1 && number <= lastSignal) return number;
  } else {
    const named = Object.entries(constants.signals).find(([name]) => name === `SIG${bare}`);
    if (named) return named[1];
    const realtime = /^RT(MIN|MAX)([+-]\d+)?$/.exec(bare);
    const number = realtime
      ? (realtime[1] === 'MIN' ? firstRealtime : lastSignal) + Number(realtime[2] ?? 0)
      : 0;
    if (number >= firstRealtime && number <= lastSignal) return number;
  }
  throw new HullError(
    `Cannot use signal ${JSON.stringify(text)}: wanted a name such as SIGTERM or 1 to ${lastSignal}`,
    {
      kind: 'invalid',
    },
  );
}

// glibc keeps 32 and 33 for itself; names mean what a program in the container means by them.
const firstRealtime = 34;
const lastSignal = 64;
