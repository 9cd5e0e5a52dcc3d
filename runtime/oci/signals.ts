import { constants } from 'node:os';
import { HullError } from '../base/errors.ts';

/** `9`, `KILL`, `SIGKILL`, `sigkill`, `RTMIN+3`. */
export function signalNumber(word: string): number {
  const number = Number(word);
  if (Number.isInteger(number) && number >= 0 && number <= 64 && word !== '') return number;
  const name = word.toUpperCase().replace(/^SIG/, '');
  const known = (constants.signals as Readonly<Record<string, number>>)[`SIG${name}`];
  if (known !== undefined) return known;
  const [, base, offset] = /^RT(MIN|MAX)([+-]\d+)?$/.exec(name) ?? [];
  if (base !== undefined) return (base === 'MIN' ? 34 : 64) + Number(offset ?? 0);
  throw new HullError(`Cannot send signal ${JSON.stringify(word)}: unknown signal`, { kind: 'invalid' });
}
