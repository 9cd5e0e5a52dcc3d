import { link, list, readOnce } from './read.ts';
import type { Thing } from './thing.ts';

export interface Process {
  readonly pid: number;
  readonly ppid: number;
  readonly comm: string;
  /** One letter, as in proc(5): R, S, D, Z, T, … */
  readonly state: string;
  /** Clock ticks since boot; with the pid it names a process for ever. */
  readonly start: string;
  /** `sleep 1000`, or `[comm]` where there is none (a zombie). */
  readonly command: string;
  /** By file name in /proc/PID/ns: `net` → `net:[4026531840]`. */
  readonly namespaces: ReadonlyMap<string, string>;
}

const namespaceFiles = ['mnt', 'net', 'pid', 'ipc', 'uts', 'user', 'cgroup', 'time'];

/** Reads the process table; remembers what cannot change, so that the next look is cheaper. */
export class ProcessTable {
  readonly #self: number;
  readonly #files: readonly string[];
  /** Kernel threads by pid. A pid leaves when it is not listed any more, so a later process may have it. */
  #kernelThreads = new Set<string>();
  #commands = new Map<string, string>();

  constructor(self: number) {
    this.#self = self;
    this.#files = namespaceFiles.filter((name) => link(`/proc/self/ns/${name}`) !== undefined);
  }

  /** All processes but kernel threads and the agent itself with its children. */
  look(): Map<number, Process> {
    const processes = new Map<number, Process>();
    const kernelThreads = new Set<string>();
    const commands = new Map<string, string>();
    for (const name of list('/proc')) {
      const first = name.charCodeAt(0);
      if (first < 48 || first > 57) continue;
      if (this.#kernelThreads.has(name)) {
        kernelThreads.add(name);
        continue;
      }
      const process = this.#read(name, commands);
      if (process === 'kernel') kernelThreads.add(name);
      else if (process !== undefined) processes.set(process.pid, process);
    }
    this.#kernelThreads = kernelThreads;
    this.#commands = commands;
    return processes;
  }

  #read(name: string, commands: Map<string, string>): Process | 'kernel' | undefined {
    const stat = readOnce(`/proc/${name}/stat`);
    if (stat === undefined) return undefined;
    const open = stat.indexOf('(');
    const close = stat.lastIndexOf(')');
    const comm = stat.slice(open + 1, close);
    const fields = stat.slice(close + 2).split(' ');
    const pid = Number(name);
    const ppid = Number(fields[1]);
    if (ppid === 2 || pid === 2) return 'kernel';
    if (pid === this.#self || ppid === this.#self) return undefined;
    const start = fields[19] ?? '';
    const state = fields[0] ?? '?';
    const key = `${name}@${start}(${comm})`;
    const command =
      state === 'Z' ? `[${comm}]` : (this.#commands.get(key) ?? commandLine(name) ?? `[${comm}]`);
    commands.set(key, command);
    const namespaces = new Map<string, string>();
    for (const file of this.#files) {
      const target = link(`/proc/${name}/ns/${file}`);
      if (target !== undefined) namespaces.set(file, target);
    }
    return { pid, ppid, comm, state, start, command, namespaces };
  }
}

function commandLine(pid: string): string | undefined {
  const text = readOnce(`/proc/${pid}/cmdline`)?.replace(/\0+$/, '').replaceAll('\0', ' ');
  return text === '' ? undefined : text?.replaceAll('\n', ' ').slice(0, 200);
}

export function* processThings(processes: ReadonlyMap<number, Process>): Generator<Thing> {
  for (const { pid, start, command, comm, state } of processes.values()) {
    const zombie = state === 'Z';
    yield {
      kind: 'process',
      id: `${pid}@${start}`,
      like: zombie ? `zombie ${comm}` : command,
      what: `${command} (pid ${pid}${zombie ? ', zombie' : state === 'D' ? ', uninterruptible' : ''})`,
      state: zombie || state === 'D' ? state : '',
    };
  }
}

/** Namespaces that processes are in; those of mounts and of open descriptors are seen elsewhere. */
export function* namespaceThings(processes: ReadonlyMap<number, Process>): Generator<Thing> {
  const seen = new Set<string>();
  for (const { pid, comm, command, namespaces } of processes.values()) {
    for (const namespace of namespaces.values()) {
      if (seen.has(namespace)) continue;
      seen.add(namespace);
      const type = namespace.slice(0, namespace.indexOf(':'));
      yield {
        kind: 'namespace',
        id: namespace,
        like: `${type} of ${command}`,
        what: `${namespace} of pid ${pid} (${comm})`,
      };
    }
  }
}

/** `pid 123 (sleep) in mnt:[4026531840]`. */
export function nameOf(process: Process): string {
  const namespace = process.namespaces.get('mnt');
  return `pid ${process.pid} (${process.comm})${namespace === undefined ? '' : ` in ${namespace}`}`;
}
