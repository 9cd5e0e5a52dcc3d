import { z } from 'zod';

/**
 * The published format of `results.json`. It is what shards are merged from and baselines compared with, so fields are
 * only ever added. The JSON Schema is `reports/results.schema.json`.
 */
export const outcomes = ['pass', 'fail', 'skip', 'flaky', 'infra', 'missing'] as const;
export const Outcome = z.enum(outcomes);

export const Phase = z.object({
  name: z.string().describe('prepare, resume, boot, ssh, provision, …'),
  durationMs: z.number().nonnegative(),
});

export const Evidence = z.object({
  step: z.string().optional().describe('The system call, launch step or API call that failed'),
  errno: z.string().optional().describe('ENOENT, EBUSY, …'),
  holders: z.array(z.string()).optional().describe('Who held the resource: pid, command, mount namespace'),
  leaks: z.array(z.object({ kind: z.string(), what: z.string(), owner: z.string().optional() })).optional(),
  daemonLog: z.string().optional().describe('Path relative to the report, as all that follow'),
  console: z.string().optional(),
  mountinfo: z.string().optional(),
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
  required: z.boolean(),
  reason: z.string().optional().describe('Always there unless the outcome is pass'),
  attempts: z.object({ passed: z.int(), total: z.int() }).optional(),
  evidence: Evidence.optional(),
});

export const HostReport = z.object({
  name: z.string(),
  kernel: z.string(),
  distribution: z.string(),
  cgroups: z.string(),
  accelerator: z.string(),
  phases: z.array(Phase),
  broken: z.object({ what: z.string(), message: z.string(), console: z.string().optional() }).optional(),
});

export const Results = z.object({
  version: z.literal(1),
  runId: z.string(),
  startedAt: z.iso.datetime(),
  durationMs: z.number().nonnegative(),
  command: z.string(),
  commit: z.string().optional(),
  hosts: z.array(HostReport),
  results: z.array(Result),
});

export type Outcome = z.infer<typeof Outcome>;
export type Phase = z.infer<typeof Phase>;
export type Evidence = z.infer<typeof Evidence>;
export type Result = z.infer<typeof Result>;
export type HostReport = z.infer<typeof HostReport>;
export type Results = z.infer<typeof Results>;
