import { nameOf, type Process } from './processes.ts';
import { link, list } from './read.ts';
import type { Thing } from './thing.ts';

/** What a process keeps open or stands in. */
export interface OpenFile {
  readonly process: Process;
  /** `cwd`, `root`, `exe`, `fd 3`. */
  readonly via: string;
  /** Path, or `socket:[123]`, `net:[4026532008]`. */
  readonly target: string;
}

export function* openFiles(processes: ReadonlyMap<number, Process>): Generator<OpenFile> {
  for (const process of processes.values()) {
    const folder = `/proc/${process.pid}`;
    for (const via of ['cwd', 'root', 'exe']) {
      const target = link(`${folder}/${via}`);
      if (target !== undefined) yield { process, via, target };
    }
    yield* descriptors(process);
  }
}

function* descriptors(process: Process): Generator<OpenFile> {
  const folder = `/proc/${process.pid}/fd`;
  for (const fd of list(folder)) {
    const target = link(`${folder}/${fd}`);
    if (target !== undefined) yield { process, via: `fd ${fd}`, target };
  }
}

const namespaceLink = /^(?:mnt|net|pid|ipc|uts|user|cgroup|time):\[\d+\]$/;

/** Namespaces that live only because a process has them open. */
export function* openNamespaceThings(processes: ReadonlyMap<number, Process>): Generator<Thing> {
  for (const process of processes.values())
    for (const { target, via } of descriptors(process))
      if (namespaceLink.test(target)) {
        const type = target.slice(0, target.indexOf(':'));
        yield {
          kind: 'namespace',
          id: target,
          like: `${type} open in ${process.command}`,
          what: `${target} open in ${nameOf(process)}: ${via}`,
        };
      }
}
