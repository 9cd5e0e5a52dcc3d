import type { Process } from './processes.ts';
import { read } from './read.ts';
import type { Thing } from './thing.ts';

/** One line of mountinfo, see proc_pid_mountinfo(5). */
export interface Mount {
  /** `253:0`. */
  readonly device: string;
  readonly root: string;
  readonly target: string;
  readonly options: string;
  readonly propagation: string;
  readonly type: string;
  readonly source: string;
  readonly superOptions: string;
}

export interface MountTable {
  readonly namespace: string;
  /** A process that is in it; the first one found. */
  readonly process: Process;
  readonly text: string;
  readonly mounts: readonly Mount[];
}

/** The mount table of every mount namespace that has a process, the host's (process 1) first. */
export function mountTables(processes: ReadonlyMap<number, Process>): MountTable[] {
  const tables = new Map<string, MountTable>();
  for (const process of processes.values()) {
    const namespace = process.namespaces.get('mnt');
    if (namespace === undefined || tables.has(namespace)) continue;
    const text = stableMountinfo(process.pid);
    // Empty: the process ended in between. Another of the same namespace may answer.
    if (text === undefined || text === '') continue;
    const mounts = text.trimEnd().split('\n').map(parseMount);
    tables.set(namespace, { namespace, process, text, mounts });
  }
  return [...tables.values()].sort((a, b) => a.process.pid - b.process.pid);
}

/** Kernels before 5.8 may leave out a line when the table changes while it is read: two equal reads are believed. */
function stableMountinfo(pid: number): string | undefined {
  let last = read(`/proc/${pid}/mountinfo`);
  for (let tries = 0; tries < 5; tries += 1) {
    const next = read(`/proc/${pid}/mountinfo`);
    if (next === last) break;
    last = next;
  }
  return last;
}

export function parseMount(line: string): Mount {
  const [front = '', back = ''] = line.split(' - ', 2);
  const [, , device = '', root = '', target = '', options = '', ...optional] = front.split(' ');
  const [type = '', source = '', superOptions = ''] = back.split(' ');
  const propagation = optional
    .map((field) => field.replace(/:.*$/, ''))
    .filter((field) => field !== 'propagate_from')
    .join(',');
  return {
    device,
    root: decode(root),
    target: decode(target),
    options,
    propagation: propagation === '' ? 'private' : propagation,
    type,
    source: decode(source),
    superOptions,
  };
}

function decode(field: string): string {
  return field.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

export function* mountThings(tables: readonly MountTable[]): Generator<Thing> {
  const [host] = tables;
  for (const table of tables) {
    const counts = new Map<string, number>();
    for (const mount of table.mounts) {
      const { target, root, type, source, options, propagation } = mount;
      const place = `${type} ${source}${root === '/' ? '' : `[${root}]`} at ${target}`;
      const count = (counts.get(place) ?? 0) + 1;
      counts.set(place, count);
      const where = table === host ? '' : ` in ${table.namespace}`;
      yield {
        kind: 'mount',
        id: `${table.namespace} ${place} #${count}`,
        like: `${table === host ? 'host' : table.process.command} ${place}`,
        what: `${place} (${options}; ${propagation})${where}`,
        state: `${options} ${propagation}`,
        namespace: table.namespace,
        place,
      };
      if (type !== 'nsfs') continue;
      yield {
        kind: 'namespace',
        id: root,
        like: `mounted at ${target}`,
        what: `${root} mounted at ${target}`,
      };
    }
  }
}
