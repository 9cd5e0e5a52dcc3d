import { randomBytes, randomInt } from 'node:crypto';
import { HullError } from '../base/errors.ts';

/** 64 lower-case hex digits, never all decimal in the first twelve: a short id must not read as a number. */
export function newContainerId(): string {
  for (;;) {
    const id = randomBytes(32).toString('hex');
    if (!/^\d{12}/.test(id)) return id;
  }
}

/** Two words that are easy to say, as `steady_keel`; a third attempt and later get a number. */
export function proposeName(attempt: number): string {
  const name = `${pick(manners)}_${pick(parts)}`;
  return attempt < 2 ? name : `${name}${randomInt(10, 1000)}`;
}

/** The name without a leading slash. Kind `invalid` for what Docker refuses. */
export function checkName(name: string): string {
  const bare = name.startsWith('/') ? name.slice(1) : name;
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(bare)) return bare;
  throw new HullError(
    `Cannot use ${JSON.stringify(name)} as a container's name: wanted [a-zA-Z0-9][a-zA-Z0-9_.-]+`,
    { kind: 'invalid' },
  );
}

function pick(words: readonly string[]): string {
  return words[randomInt(words.length)] ?? 'plain';
}

const manners = (
  'able ample brisk calm candid clear deft eager early even fair firm fleet frank fresh glad hale hardy jaunty keen ' +
  'kind level light lively lucid merry mild neat nimble patient plain proud quick quiet ready round sharp silent ' +
  'smooth sober sound spry steady stout swift tidy trim true warm wary'
).split(' ');
const parts = (
  'anchor beacon berth boom bow bowline bridge buoy cabin capstan chart cleat compass davit deck dinghy fathom fender ' +
  'galley gangway halyard harbor hatch hawser helm hull jetty jib keel ketch lantern lee locker mast mooring oar pier ' +
  'pilot porthole prow pulley quay rigging rudder sail schooner sextant sloop spar stern tide tiller winch windlass yawl'
).split(' ');
