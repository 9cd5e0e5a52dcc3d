import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { HullError } from '../../base/errors.ts';
import type { Resources } from '../../base/oci.ts';
import { writeSchemata } from '../../cgroups/resctrl.ts';
import type { Context } from '../context.ts';
import { needGroup } from '../groups.ts';
import { oneId } from '../one-id.ts';
import { parseOptions } from '../options.ts';
import { parseJson } from '../read-bundle.ts';
import { readState } from '../state-store.ts';

/** Options that are one number (or text) of the specification's resources each. */
const fields = {
  'blkio-weight': ['blockIO', 'weight'],
  'cpu-period': ['cpu', 'period'],
  'cpu-quota': ['cpu', 'quota'],
  'cpu-burst': ['cpu', 'burst'],
  'cpu-share': ['cpu', 'shares'],
  'cpu-rt-period': ['cpu', 'realtimePeriod'],
  'cpu-rt-runtime': ['cpu', 'realtimeRuntime'],
  'cpuset-cpus': ['cpu', 'cpus'],
  'cpuset-mems': ['cpu', 'mems'],
  'cpu-idle': ['cpu', 'idle'],
  memory: ['memory', 'limit'],
  'memory-reservation': ['memory', 'reservation'],
  'memory-swap': ['memory', 'swap'],
  'pids-limit': ['pids', 'limit'],
} as const;

/** Lines of the schemata of resctrl. */
const schemas = ['l3-cache-schema', 'mem-bw-schema'] as const;

const text = { takes: 'text' } as const;
const table = {
  resources: { takes: 'text', short: 'r' },
  'l3-cache-schema': text,
  'mem-bw-schema': text,
  ...(Object.fromEntries(Object.keys(fields).map((name) => [name, text])) as Record<
    keyof typeof fields,
    typeof text
  >),
} as const;

export async function updateCommand(context: Context, args: readonly string[]): Promise<number> {
  const { values, rest } = parseOptions(args, table);
  const state = readState(context.root, oneId(rest, 'update'));
  const lines = schemas.flatMap((name) => values[name] ?? []);
  if (lines.length > 0 && !state.intel_rdt)
    throw new HullError(`Cannot update container ${state.id}: it has no linux.intelRdt to change`, {
      kind: 'unsupported',
    });
  const group = await needGroup(state, 'update');
  await group.update(values.resources === undefined ? fromOptions(values) : fromFile(values.resources));
  if (state.intel_rdt && lines.length > 0)
    writeSchemata(dirname(state.intel_rdt.tasks[0] ?? ''), [`${lines.join('\n')}\n`]);
  return 0;
}

function fromFile(path: string): Resources {
  const name = path === '-' ? '/dev/stdin' : path;
  const value = parseJson(readFileSync(name, 'utf8'), name);
  if (value === null || typeof value !== 'object')
    throw new HullError(`Cannot use ${JSON.stringify(path)}: found no object, wanted linux.resources`, {
      kind: 'invalid',
    });
  // Devices are not changed: the list would have to be whole.
  const { devices: _, ...resources } = value as Resources;
  return resources;
}

function fromOptions(values: Readonly<Record<string, string | undefined>>): Resources {
  const resources: Record<string, Record<string, number | string>> = {};
  for (const [option, [part, field]] of Object.entries(fields)) {
    const value = values[option];
    if (value === undefined) continue;
    const isText = field === 'cpus' || field === 'mems';
    resources[part] = { ...resources[part], [field]: isText ? value : amount(value, option) };
  }
  return resources as Resources;
}

/** A number, or one with a unit: `64m`. */
function amount(word: string, option: string): number {
  const [, digits, unit = ''] = /^(-?\d+)([kmgt]?)b?$/i.exec(word) ?? [];
  if (digits === undefined)
    throw new HullError(`Cannot use --${option} ${JSON.stringify(word)}: wanted a number`, {
      kind: 'invalid',
    });
  return Number(digits) * 1024 ** ' kmgt'.indexOf(unit.toLowerCase() || ' ');
}
