import { HullError } from '../base/errors.ts';
import type { Container } from '../containers/container.ts';
import type { Engine } from '../containers/engine.ts';
import { isAlive, lastRun, statusOf } from '../containers/record.ts';
import { filtersOf, flagOf, integerOf } from './call.ts';
import { listView } from './container-views.ts';

/** GET /containers/json: newest first; running ones only, unless `all`, `limit` or a status filter asks for more. */
export function listContainers(engine: Engine, query: URLSearchParams): unknown {
  const filters = filtersOf(query, [
    'id',
    'name',
    'label',
    'status',
    'ancestor',
    'exited',
    'before',
    'since',
    'volume',
  ]);
  const limit = integerOf(query, 'limit') ?? 0;
  const all = flagOf(query, 'all') || limit > 0 || filters.has('status') || filters.has('exited');
  checkStatus(filters.get('status') ?? []);
  const now = Date.now();
  const found = engine.containers
    .list()
    .filter((container) => all || isAlive(container.state) || container.state.kind === 'restarting')
    .filter((container) => container.state.kind !== 'creating')
    .filter((container) => [...filters].every(([name, values]) => matches(engine, container, name, values)));
  return (limit > 0 ? found.slice(0, limit) : found).map((container) => listView(engine, container, now));
}

function matches(engine: Engine, container: Container, filter: string, values: readonly string[]): boolean {
  const { record, id, state } = container;
  switch (filter) {
    case 'id':
      return values.some((value) => id.startsWith(value));
    case 'name':
      return values.some((value) => matchesName(record.name, value));
    case 'label':
      return values.every((value) => hasLabel(record.config.Labels, value));
    case 'status':
      return values.includes(statusOf(state));
    case 'exited':
      return values.includes(String(lastRun(state)?.exitCode));
    case 'ancestor':
      return values.some((value) =>
        [record.image.reference, record.image.id, record.image.id.replace('sha256:', '')].some(
          (name) =>
            name === value || name === `${value}:latest` || (value.length >= 12 && name.startsWith(value)),
        ),
      );
    case 'volume':
      return record.mounts.some(
        (point) =>
          values.includes(point.destination) || (point.type === 'volume' && values.includes(point.name)),
      );
    case 'before':
      return values.every((value) => record.createdAt < engine.containers.get(value).record.createdAt);
    case 'since':
      return values.every((value) => record.createdAt > engine.containers.get(value).record.createdAt);
    default:
      return true;
  }
}

/** Docker takes the value as a pattern, found anywhere in the name with or without its slash. */
function matchesName(name: string, pattern: string): boolean {
  try {
    const expression = new RegExp(pattern);
    return expression.test(name) || expression.test(`/${name}`);
  } catch {
    throw new HullError(
      `Cannot filter by name: found ${JSON.stringify(pattern)}, wanted a regular expression`,
      {
        kind: 'invalid',
      },
    );
  }
}

/** `key` or `key=value`. */
export function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const at = wanted.indexOf('=');
  if (at < 0) return Object.hasOwn(labels, wanted);
  return labels[wanted.slice(0, at)] === wanted.slice(at + 1);
}

function checkStatus(values: readonly string[]): void {
  const known = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'];
  const stray = values.find((value) => !known.includes(value));
  if (stray === undefined) return;
  throw new HullError(
    `Cannot filter by status: found ${JSON.stringify(stray)}, wanted one of ${known.join(', ')}`,
    { kind: 'invalid' },
  );
}
