import type { EngineDefinition, HostDefinition } from '../hosts/host.ts';
import type { Cell, Job } from './cell.ts';
import { didYouMean } from './did-you-mean.ts';

/** What the plan must know of a scenario; it is known without booting anything. */
export interface PlannedScenario {
  readonly area: string;
  readonly scenario: string;
  readonly dependsOnDriver: boolean;
  /** Engines that are not held to it. */
  readonly notOn?: readonly string[];
}

export interface Selection {
  readonly hosts?: readonly string[];
  readonly engines?: readonly string[];
  readonly drivers?: readonly string[];
  /** Part of `area/scenario`, or a regular expression between slashes: `/crash|kill/`. */
  readonly text?: string;
  /** `host/engine/driver:area/scenario`, or a beginning of it; `*` stands for any name. */
  readonly patterns?: readonly string[];
}

/** A selection names what does not exist, or selects nothing. One sentence with the known names. */
export class SelectionError extends Error {
  override readonly name = 'SelectionError';
}

/**
 * Which scenario must run in which cell, in the order it runs. A scenario that does not depend on the driver is there
 * once per host and engine, in the first selected driver. Engines that hosts.yaml does not list for a host are there
 * only when `engines` names them; their cells are not required. Drivers on demand are there only when `drivers` or a pattern names them.
 */
export function plan(
  hosts: readonly HostDefinition[],
  scenarios: readonly PlannedScenario[],
  selection: Selection = {},
): readonly Job[] {
  const engines = [...new Set([...hosts.flatMap((host) => host.engines.map(({ name }) => name)), 'docker'])];
  const wantedEngines = mustBeKnown('engine', selection.engines, engines);
  const cells = hosts.flatMap((host) => cellsOf(host, wantedEngines));
  const known: Names = {
    host: hosts.map(({ name }) => name),
    engine: engines,
    driver: [...new Set(cells.map(({ driver }) => driver.name))],
    area: [...new Set(scenarios.map(({ area }) => area))],
    scenario: [...new Set(scenarios.map(({ scenario }) => scenario))],
  };
  const wantedHosts = mustBeKnown('host', selection.hosts, known.host);
  const wantedDrivers = mustBeKnown('driver', selection.drivers, known.driver);
  const patterns = (selection.patterns ?? []).map((pattern) => parsePattern(pattern, known));
  const onDemand = new Set([...(wantedDrivers ?? []), ...patterns.map(({ driver }) => driver)]);
  const matchesText = textFilter(selection.text);

  const jobs = cells
    .filter(({ host, driver }) => includes(wantedHosts, host) && includes(wantedDrivers, driver.name))
    .filter(({ driver }) => !driver.onDemand || onDemand.has(driver.name))
    .flatMap((cell) =>
      scenarios
        .filter(({ notOn }) => !notOn?.includes(cell.engine))
        .map(({ area, scenario, dependsOnDriver }) => ({ cell, area, scenario, dependsOnDriver })),
    )
    .filter((job) => matchesText(`${job.area}/${job.scenario}`))
    .filter((job) => patterns.length === 0 || patterns.some((pattern) => matches(pattern, job)));

  const once = new Set<string>();
  const selected = jobs.filter(({ cell, area, scenario, dependsOnDriver }) => {
    if (dependsOnDriver) return true;
    const key = `${cell.host}/${cell.engine}:${area}/${scenario}`;
    if (once.has(key)) return false;
    once.add(key);
    return true;
  });
  if (selected.length === 0) throw new SelectionError(nothingSelected(selection, scenarios.length));
  return selected.map(({ cell, area, scenario }) => ({ cell, area, scenario }));
}

function cellsOf(host: HostDefinition, wanted: readonly string[] | undefined): readonly Cell[] {
  const listed = host.engines.filter(({ name }) => includes(wanted, name));
  const extra = (wanted ?? []).filter((name) => !host.engines.some((engine) => engine.name === name));
  const engines: readonly Pick<EngineDefinition, 'drivers' | 'name'>[] = [
    ...listed,
    ...extra.flatMap((name) => (name === 'docker' ? [dockerReference] : [])),
  ];
  return engines.flatMap(({ name, drivers }) =>
    drivers.map((driver) => ({ host: host.name, engine: name, driver })),
  );
}

/** Debian's own Docker, for proving scenarios: on demand, never required. */
const dockerReference: EngineDefinition = {
  name: 'docker',
  drivers: ['overlay2', 'vfs'].map((name) => ({ name, required: false, options: {} })),
};

type Part = 'host' | 'engine' | 'driver' | 'area' | 'scenario';
type Names = Readonly<Record<Part, readonly string[]>>;
type Pattern = Partial<Readonly<Record<Part, string>>>;

function parsePattern(text: string, known: Names): Pattern {
  const [cell = '', scenario = '', ...rest] = text.split(':');
  const cellParts = cell.split('/').filter(Boolean);
  const scenarioParts = scenario.split('/').filter(Boolean);
  if (rest.length > 0 || cellParts.length > 3 || scenarioParts.length > 2 || text.trim() === '') {
    throw new SelectionError(
      `Cannot select ${JSON.stringify(text)}: found another form than host/engine/driver:area/scenario or a beginning of it.`,
    );
  }
  const parts: readonly [Part, string | undefined][] = [
    ['host', cellParts[0]],
    ['engine', cellParts[1]],
    ['driver', cellParts[2]],
    ['area', scenarioParts[0]],
    ['scenario', scenarioParts[1]],
  ];
  const named = parts.filter((part): part is [Part, string] => part[1] !== undefined && part[1] !== '*');
  for (const [part, value] of named) mustBeKnown(part, [value], known[part]);
  return Object.fromEntries(named);
}

function matches(pattern: Pattern, { cell, area, scenario }: Job): boolean {
  const actual: Record<Part, string> = {
    host: cell.host,
    engine: cell.engine,
    driver: cell.driver.name,
    area,
    scenario,
  };
  return Object.entries(pattern).every(([part, value]) => actual[part as Part] === value);
}

function textFilter(text: string | undefined): (name: string) => boolean {
  if (text === undefined) return () => true;
  const expression = /^\/(.*)\/([imsu]*)$/.exec(text);
  if (expression === null) return (name) => name.includes(text);
  try {
    const regex = new RegExp(expression[1] ?? '', expression[2]);
    return (name) => regex.test(name);
  } catch (error) {
    throw new SelectionError(
      `Cannot filter by ${text}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function mustBeKnown(
  part: Part,
  values: readonly string[] | undefined,
  known: readonly string[],
): readonly string[] | undefined {
  for (const value of values ?? []) {
    if (known.includes(value)) continue;
    const hint = didYouMean(value, known);
    throw new SelectionError(
      `Cannot select ${part} ${JSON.stringify(value)}: unknown, the known are ${known.join(', ') || 'none'}.${hint}`,
    );
  }
  return values;
}

function includes(wanted: readonly string[] | undefined, value: string): boolean {
  return wanted === undefined || wanted.includes(value);
}

function nothingSelected(selection: Selection, scenarios: number): string {
  if (scenarios === 0) return 'Cannot plan: no scenario found in scenarios/.';
  const given = Object.entries(selection).filter(([, value]) => value !== undefined && value.length > 0);
  return `Cannot select anything by ${given.map(([key, value]) => `${key} ${String(value)}`).join(', ')}: no job matches all of it. See --list.`;
}
