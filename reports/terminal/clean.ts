import type { JobId, Result, Results } from '../schema.ts';
import { oneLine, printable } from '../text.ts';

/** Names and texts come from guests: none of them may move the cursor, and a name stays on one line. */
export function cleanJob<T extends JobId>(job: T): T {
  const { host, engine, driver, area, scenario } = job;
  return {
    ...job,
    host: oneLine(host),
    engine: oneLine(engine),
    driver: oneLine(driver),
    area: oneLine(area),
    scenario: oneLine(scenario),
  };
}

export function cleanResult(result: Result): Result {
  return cleanJob(deep(result));
}

export function cleanResults(results: Results): Results {
  const hosts = results.hosts.map((host) => ({ ...deep(host), name: oneLine(host.name) }));
  return {
    ...deep({ ...results, results: [], hosts: [] }),
    hosts,
    results: results.results.map(cleanResult),
  };
}

/** The same shape with every string printable. */
function deep<T>(value: T): T;
function deep(value: unknown): unknown {
  if (typeof value === 'string') return printable(value);
  if (Array.isArray(value)) return value.map((item: unknown) => deep(item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, deep(item)]));
}
