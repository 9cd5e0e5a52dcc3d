import { cp, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ReportError } from './errors.ts';
import { type HostReport, jobOf, type Result, type Results } from './schema.ts';

export interface Shard {
  /** Names the shard in errors: its file. */
  readonly from: string;
  readonly results: Results;
}

const evidenceKinds = ['daemonLog', 'console', 'mountinfo'] as const;

/**
 * Shards of one plan as one run. The shards' jobs are disjoint: a job in two of them is a conflict, because nobody knows which one
 * to believe. Shards of different commits are refused, for their sum describes no program. The run lasts from the first
 * start to the last end.
 */
export function mergeResults(shards: readonly Shard[]): Results {
  const [first, ...rest] = shards;
  if (!first) throw new ReportError('Cannot merge results: no shard was given, wanted at least one');
  for (const { from, results } of rest) {
    if (results.commit === first.results.commit) continue;
    throw new ReportError(
      `Cannot merge ${from} with ${first.from}: it is of commit ${results.commit ?? '(none)'}, wanted ${first.results.commit ?? '(none)'}`,
    );
  }
  const owners = new Map<string, string>();
  for (const { from, results } of shards) {
    for (const result of results.results) {
      const job = jobOf(result);
      const other = owners.get(job);
      if (other !== undefined) {
        throw new ReportError(
          `Cannot merge ${from} with ${other}: both have a result of ${job}, wanted each job in one shard`,
        );
      }
      owners.set(job, from);
    }
  }
  const starts = shards.map(({ results }) => Date.parse(results.startedAt));
  const ends = shards.map(({ results }, index) => (starts[index] ?? 0) + results.durationMs);
  const runIds = new Set(shards.map(({ results }) => results.runId));
  const commands = new Set(shards.map(({ results }) => results.command));
  return {
    version: 1,
    runId: [...runIds].join('+'),
    startedAt: new Date(Math.min(...starts)).toISOString(),
    durationMs: Math.max(...ends) - Math.min(...starts),
    command: [...commands].join(' && '),
    ...(first.results.commit !== undefined && { commit: first.results.commit }),
    hosts: mergeHosts(shards),
    results: shards.flatMap(({ results }) => results.results),
  };
}

/** A host that took part in two shards was started twice: both lists of phases stay, in order. */
function mergeHosts(shards: readonly Shard[]): HostReport[] {
  const hosts = new Map<string, { host: HostReport; from: string }>();
  for (const { from, results } of shards) {
    for (const host of results.hosts) {
      const known = hosts.get(host.name);
      hosts.set(host.name, { from, host: known ? joinHost(known.host, known.from, host, from) : host });
    }
  }
  return [...hosts.values()].map(({ host }) => host);
}

function joinHost(a: HostReport, fromA: string, b: HostReport, fromB: string): HostReport {
  for (const field of ['kernel', 'distribution', 'cgroups'] as const) {
    // A host that never answered has no facts; the shard in which it did tells them.
    if (a[field] === b[field] || a[field] === '' || b[field] === '') continue;
    throw new ReportError(
      `Cannot merge ${fromB} with ${fromA}: host ${a.name} has the ${field} "${b[field]}", wanted "${a[field]}" as in the other`,
    );
  }
  const broken = a.broken ?? b.broken;
  return {
    ...a,
    kernel: a.kernel || b.kernel,
    distribution: a.distribution || b.distribution,
    cgroups: a.cgroups || b.cgroups,
    accelerator: a.accelerator || b.accelerator,
    phases: [...a.phases, ...b.phases],
    ...(broken && { broken }),
  };
}

/**
 * Copies the evidence of the shards into `dir`, each under a folder of its own, so that equal names do not meet.
 * A file that is named but not there is left out: the report says so where it is shown.
 *
 * @returns the shards, with their paths as they are now.
 */
export async function gatherEvidence(shards: readonly Shard[], dir: string): Promise<Shard[]> {
  const gathered: Shard[] = [];
  for (const [index, { from, results }] of shards.entries()) {
    const folder = `evidence/shard-${index + 1}`;
    const moved = new Map<string, string>();
    const move = (path: string) => {
      const to = `${folder}/${path.replace(/^evidence\//, '')}`;
      moved.set(path, to);
      return to;
    };
    gathered.push({
      from,
      results: { ...results, results: results.results.map((result) => withPaths(result, move)) },
    });
    for (const [path, to] of moved) await copyIfThere(join(dirname(from), path), join(dir, to));
  }
  return gathered;
}

function withPaths(result: Result, move: (path: string) => string): Result {
  if (!result.evidence) return result;
  const evidence = { ...result.evidence };
  for (const kind of evidenceKinds) {
    const path = evidence[kind];
    if (path !== undefined) evidence[kind] = move(path);
  }
  return { ...result, evidence };
}

async function copyIfThere(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  try {
    await cp(from, to);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return;
    throw new ReportError(`Cannot copy evidence ${from}: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  }
}
