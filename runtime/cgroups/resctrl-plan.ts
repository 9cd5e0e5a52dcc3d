import { HullError } from '../base/errors.ts';
import type { IntelRdt } from '../base/oci.ts';

/** What `linux.intelRdt` asks of the resctrl file system (config-linux.md, "IntelRdt"). */
export interface ResctrlPlan {
  /** Name of the group: of a class of service. */
  readonly group: string;
  /** `existing`: somebody has prepared it. `own`: the container's, made with it. `shared`: made where it is not there, else it must have these schemata. */
  readonly kind: 'existing' | 'own' | 'shared';
  /** What is written to `schemata`, in that order. */
  readonly schemata: readonly string[];
  /** Group below it that counts for this container alone. */
  readonly monitor?: string;
  /** Features that `info/L3_MON/mon_features` must have, by the field that asks for them. */
  readonly counters: readonly (readonly [field: string, feature: string])[];
}

/** Folders of every group, which are none. */
const taken = new Set(['.', '..', 'info', 'mon_data', 'mon_groups']);

/** Kind `invalid` for a name that can be none. Pure. */
export function planResctrl(rdt: IntelRdt, id: string): ResctrlPlan {
  const { closID, l3CacheSchema = '', memBwSchema = '', schemata = [] } = rdt;
  if (closID !== undefined && (closID === '' || closID.includes('/') || taken.has(closID)))
    throw new HullError(
      `Cannot use linux.intelRdt.closID: found ${JSON.stringify(closID)}, wanted the name of a folder that resctrl has not itself`,
      { kind: 'invalid' },
    );
  const cache = l3CacheSchema.split('\n').filter((line) => memBwSchema === '' || !line.startsWith('MB:'));
  const combined = [...cache, memBwSchema].filter((line) => line !== '');
  const last = typeof schemata === 'string' ? schemata : schemata.join('\n');
  const written = [combined.join('\n'), last]
    .filter((text) => text !== '')
    .map((text) => `${text.trimEnd()}\n`);
  const isCounted = rdt.enableCMT === true || rdt.enableMBM === true;
  return {
    group: closID ?? id,
    kind: closID === undefined ? 'own' : written.length > 0 ? 'shared' : 'existing',
    schemata: written,
    ...(closID !== undefined && isCounted ? { monitor: id } : {}),
    counters: [
      ...(rdt.enableCMT ? [['enableCMT', 'llc_occupancy'] as const] : []),
      ...(rdt.enableMBM ? [['enableMBM', 'mbm_total_bytes'] as const] : []),
    ],
  };
}

/** The schemata's lines that a group has not, in whatever way it writes numbers: `L3:0=0007f0` is `L3:0=7f0`. Pure. */
export function missingSchemata(found: string, wanted: readonly string[]): readonly string[] {
  const has = new Set(entriesOf(found).map(({ text }) => text));
  return entriesOf(wanted.join('')).flatMap(({ text, line }) => (has.has(text) ? [] : [line]));
}

/** `MB:0=20;1=70` is two. */
function entriesOf(schemata: string): readonly { readonly text: string; readonly line: string }[] {
  return schemata.split('\n').flatMap((each) => {
    const line = each.trim();
    const [resource = '', list = ''] = line.split(':');
    const entries = list.split(';').filter((entry) => entry !== '');
    return entries.map((entry) => {
      const [cache = '', value = ''] = entry.split('=');
      const number = value
        .trim()
        .toLowerCase()
        .replace(/^0x/, '')
        .replace(/^0+(?=.)/, '');
      return { text: `${resource}:${Number(cache)}=${number}`, line };
    });
  });
}
