import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { HostDefinition } from '../hosts/host.ts';
import type { Job } from '../matrix/cell.ts';
import { loadHosts } from '../matrix/load-hosts.ts';
import { plan, type Selection } from '../matrix/plan.ts';
import { type Shard, shardOf } from '../matrix/shard.ts';
import { collectScenarios } from '../run/collect-scenarios.ts';
import type { CollectedScenario } from '../run/recorder.ts';

/** The checkout this program runs from. */
export const projectDir = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

export interface Planned {
  readonly hosts: readonly HostDefinition[];
  readonly scenarios: readonly CollectedScenario[];
  readonly jobs: readonly Job[];
}

/** hosts.yaml and the scenarios, planned. Throws HostsFileError and SelectionError, which are the user's to mend. */
export async function planProject(selection: Selection, shard?: Shard): Promise<Planned> {
  const file = join(projectDir, 'hosts.yaml');
  const shown = relative(process.cwd(), file);
  const hosts = await loadHosts(shown.startsWith('..') ? file : shown);
  const scenarios = await collectScenarios(join(projectDir, 'scenarios'));
  const jobs = plan(hosts, scenarios, selection);
  return { hosts, scenarios, jobs: shard === undefined ? jobs : shardOf(jobs, shard) };
}
