import { z } from 'zod';

/**
 * The published format of `results.json`. It is what shards are merged from and baselines compared with, so fields are
 * only ever added. The JSON Schema is `reports/results.schema.json` (`node reports/main.ts schema` writes it).
 */
export const outcomes = ['pass', 'fail', 'skip', 'flaky', 'infra', 'missing'] as const;
export const Outcome = z.enum(outcomes);

export const Phase = z.object({
  name: z.string().describe('prepare, resume, boot, ssh, provision, …'),
  durationMs: z.number().nonnegative(),
});

export const Leak = z.object({
  kind: z.string().describe('mount, dm, loop, cgroup, link, nft, namespace, process, file'),
  what: z.string(),
  owner: z.string().optional(),
});

/** Reports are copied, merged and unpacked elsewhere: a path may only point into the report's own folder. */
const EvidencePath = z
  .string()
  .regex(/^(?![/\\])(?!(?:.*[/\\])?\.\.(?:[/\\]|$))[^\0]+$/, 'a path inside the report folder, without ".."')
  .describe('Path relative to results.json');

export const Evidence = z.object({
  step: z.string().optional().describe('The system call, launch step or API call that failed'),
  errno: z.string().optional().describe('ENOENT, EBUSY, …'),
  holders: z.array(z.string()).optional().describe('Who held the resource: pid, command, mount namespace'),
  leaks: z.array(Leak).optional(),
  detail: z.string().optional().describe('The whole error: stack, difference, causes'),
  daemonLog: EvidencePath.optional(),
  console: EvidencePath.optional(),
  mountinfo: EvidencePath.optional(),
  rerun: z.string().describe('The one command that runs this one job again'),
});

export const Result = z.object({
  host: z.string(),
  kernel: z.string().describe('uname -r; empty where the host never answered'),
  engine: z.string(),
  driver: z.string(),
  area: z.string(),
  scenario: z.string(),
  outcome: Outcome,
  durationMs: z.number().nonnegative(),
  required: z.boolean().describe('Anything but a pass makes the run red'),
  reason: z.string().optional().describe('Always there unless the outcome is pass'),
  attempts: z
    .object({ passed: z.int().nonnegative(), total: z.int().positive() })
    .optional()
    .describe('Always there when the outcome is flaky'),
  evidence: Evidence.optional(),
});

export const HostReport = z.object({
  name: z.string(),
  kernel: z.string(),
  distribution: z.string(),
  cgroups: z.string(),
  arch: z.string().optional(),
  accelerator: z.string(),
  phases: z.array(Phase),
  broken: z
    .object({
      what: z.string().describe('panic, hang, boot, ssh-lost, exited, provision'),
      message: z.string(),
      console: z.string().optional().describe("The console's last lines, as text"),
    })
    .optional(),
});

export const Results = z.object({
  version: z.literal(1),
  runId: z.string(),
  startedAt: z.iso.datetime(),
  durationMs: z.number().nonnegative(),
  command: z.string(),
  commit: z.string().optional(),
  seed: z
    .int()
    .nonnegative()
    .optional()
    .describe('--seed: what every random choice of the scenarios came from'),
  hosts: z.array(HostReport),
  results: z.array(Result),
});

export type Outcome = z.infer<typeof Outcome>;
export type Phase = z.infer<typeof Phase>;
export type Leak = z.infer<typeof Leak>;
export type Evidence = z.infer<typeof Evidence>;
export type Result = z.infer<typeof Result>;
export type HostReport = z.infer<typeof HostReport>;
export type Results = z.infer<typeof Results>;

/** What names one job; every Result is one too. */
export type JobId = Pick<Result, 'host' | 'engine' | 'driver' | 'area' | 'scenario'>;

/** `host/engine/driver`. */
export function cellOf({ host, engine, driver }: Pick<JobId, 'host' | 'engine' | 'driver'>): string {
  return `${host}/${engine}/${driver}`;
}

/** `area/scenario`. */
export function scenarioOf({ area, scenario }: Pick<JobId, 'area' | 'scenario'>): string {
  return `${area}/${scenario}`;
}

/** `host/engine/driver:area/scenario`: the string that re-runs exactly this job. */
export function jobOf(job: JobId): string {
  return `${cellOf(job)}:${scenarioOf(job)}`;
}
