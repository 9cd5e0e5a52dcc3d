import type { ScenarioContext } from '../../harness/run/scenario.ts';

/** A sleep that no other process on the host runs, so that it can be found: seconds. */
export function uniqueSeconds(t: ScenarioContext): number {
  return 100_000_000 + Math.floor(t.random() * 899_999_999);
}

/** How many processes of the host, in whatever namespace, sleep for exactly that long. */
export async function sleepers(t: ScenarioContext, seconds: number): Promise<number> {
  const { stdout } = await t.host.run(['pgrep', '-cxf', `(/bin/)?sleep ${seconds}`]);
  return Number(stdout.trim());
}
