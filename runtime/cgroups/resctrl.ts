import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf, HullError } from '../base/errors.ts';
import { ifGone, readValue, writeValue } from './files.ts';
import { missingSchemata, type ResctrlPlan } from './resctrl-plan.ts';

/** Where a container is in resctrl, as its state keeps it. */
export interface ResctrlPlace {
  readonly path: string;
  /** What hull has made, and takes away with the container. */
  readonly made: readonly string[];
  readonly tasks: readonly string[];
}

/** Where resctrl is mounted, or undefined. proc_pid_mountinfo(5) */
export function findResctrl(mountinfo = readFileSync('/proc/self/mountinfo', 'utf8')): string | undefined {
  const line = mountinfo.split('\n').find((each) => / - resctrl /.test(each));
  return line
    ?.split(' ')[4]
    ?.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** Where a plan leads to; nothing is made. Kind `unsupported` where there is no resctrl, or it does not count what is asked for. */
export function placeResctrl(plan: ResctrlPlan, root = findResctrl()): ResctrlPlace {
  if (root === undefined)
    throw new HullError('Cannot use linux.intelRdt: found no mounted resctrl file system, wanted one', {
      kind: 'unsupported',
      hint: 'On a processor with Intel RDT: mount -t resctrl resctrl /sys/fs/resctrl',
    });
  const features = readValue(join(root, 'info/L3_MON/mon_features'))?.split('\n') ?? [];
  const lacking = plan.counters.find(([, feature]) => !features.includes(feature));
  if (lacking)
    throw new HullError(
      `Cannot use linux.intelRdt.${lacking[0]}: resctrl at ${JSON.stringify(root)} has no ${lacking[1]}`,
      {
        kind: 'unsupported',
      },
    );
  const path = join(root, plan.group);
  const isThere = existsSync(path);
  if (plan.kind === 'existing' && !isThere)
    throw new HullError(
      `Cannot use linux.intelRdt.closID: found no group ${JSON.stringify(path)}, wanted one, or a schema to make it with`,
      { kind: 'not-found' },
    );
  const monitor = plan.monitor === undefined ? undefined : join(path, 'mon_groups', plan.monitor);
  return {
    path: monitor ?? path,
    made: [...(isThere ? [] : [path]), ...(monitor === undefined ? [] : [monitor])],
    // A process is of a class first, and then of one of its groups that count.
    tasks: [path, ...(monitor === undefined ? [] : [monitor])].map((folder) => join(folder, 'tasks')),
  };
}

/** Afterwards the place is there, with the plan's schemata. Kind `conflict` where somebody's group has others. */
export function makeResctrl(plan: ResctrlPlan, { tasks: [tasks = ''], made }: ResctrlPlace): void {
  const path = join(tasks, '..');
  if (plan.kind === 'shared' && !made.includes(path)) {
    const [missing] = missingSchemata(readFileSync(join(path, 'schemata'), 'utf8'), plan.schemata);
    if (missing !== undefined)
      throw new HullError(
        `Cannot use linux.intelRdt: group ${JSON.stringify(path)} is there without ${JSON.stringify(missing)}`,
        {
          kind: 'conflict',
        },
      );
  }
  for (const folder of made) mkdirSync(folder, { recursive: folder !== path });
  if (!made.includes(path)) return;
  writeSchemata(path, plan.schemata);
}

/** A text each; kind `invalid` with the kernel's own words where it refuses one. */
export function writeSchemata(path: string, schemata: readonly string[]): void {
  for (const text of schemata)
    try {
      writeValue(join(path, 'schemata'), text);
    } catch (cause) {
      const reason = readValue(join(path, '../info/last_cmd_status')) ?? (cause as Error).message;
      throw new HullError(`Cannot use linux.intelRdt: ${JSON.stringify(text.trimEnd())}: ${reason}`, {
        kind: 'invalid',
        cause,
      });
    }
}

/** Afterwards what was made is gone; a class of service that others have entered since stays with them. */
export function removeResctrl({ made }: ResctrlPlace): void {
  for (const folder of made.toReversed()) {
    if (readValue(join(folder, 'tasks'))) continue;
    try {
      rmdirSync(folder);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
    }
  }
}

/** Names as in runc's `events`: a number for each domain of a cache. */
export function resctrlStats({ path, tasks: [tasks = ''] }: ResctrlPlace): object {
  const lines =
    readValue(join(tasks, '../schemata'))
      ?.split('\n')
      .map((line) => line.trim()) ?? [];
  const schema = (resource: string) => lines.find((line) => line.startsWith(`${resource}:`));
  const domains =
    ifGone(() =>
      readdirSync(join(path, 'mon_data'))
        .filter((name) => name.startsWith('mon_L3_'))
        .sort(),
    ) ?? [];
  const each = (...files: readonly string[]) =>
    domains.map((domain) =>
      Object.fromEntries(
        files.flatMap((file) => {
          const value = readValue(join(path, 'mon_data', domain, file));
          return value === undefined ? [] : [[file, Number(value)]];
        }),
      ),
    );
  return {
    ...(schema('L3') ? { l3_cache_schema: schema('L3') } : {}),
    ...(schema('MB') ? { mem_bw_schema: schema('MB') } : {}),
    mbm_stats: each('mbm_total_bytes', 'mbm_local_bytes'),
    cmt_stats: each('llc_occupancy'),
  };
}
