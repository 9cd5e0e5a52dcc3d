import { readFile } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import type { CgroupStats } from '../cgroups/stats/stats.ts';
import type { Container } from './container.ts';
import { cgroupOf, type Engine } from './engine.ts';
import { isAlive } from './record.ts';

/** What a running container has used until now, beside what the whole machine has. */
export interface StatsSample {
  readonly at: Date;
  readonly group: CgroupStats;
  /** Nanoseconds that all processors together have existed. */
  readonly systemTime: number;
  readonly processors: number;
  /** Bytes: what a container without a limit could use. */
  readonly machineMemory: number;
}

/** Undefined where it does not run. Also of a paused one. */
export async function sampleContainer(
  engine: Engine,
  container: Container,
): Promise<StatsSample | undefined> {
  if (!isAlive(container.state)) return undefined;
  const [group, stat] = await Promise.all([
    cgroupOf(engine, container).stats(),
    readFile('/proc/stat', 'utf8'),
  ]);
  return {
    at: new Date(),
    group,
    systemTime: systemTime(stat),
    processors: availableParallelism(),
    machineMemory: totalmem(),
  };
}

/** The sum of user to softirq in /proc/stat's first line (proc_stat(5)), which counts in 1/100 s on every machine. */
export function systemTime(stat: string): number {
  const [, ...ticks] = (stat.split('\n', 1)[0] ?? '').split(/\s+/);
  return ticks.slice(0, 7).reduce((sum, value) => sum + Number(value), 0) * 10_000_000;
}
