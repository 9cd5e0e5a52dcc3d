import { mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import type { CgroupEntry } from './types.ts';

/** For tests: a cgroup of our own in one hierarchy of each version that is mounted here. */
export class TestGroups implements Disposable {
  readonly entry: CgroupEntry;
  readonly #folders: readonly string[];

  constructor(name: string) {
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
    const find = (type: string, has: string) =>
      mounts.find((line) => line.includes(` - ${type} `) && line.includes(has))?.split(' ')[4];
    const v1 = find('cgroup', 'pids');
    const v2 = find('cgroup2', '');
    const folder = (root: string | undefined) => (root === undefined ? undefined : join(root, name));
    const [v1Folder, v2Folder] = [folder(v1), folder(v2)];
    this.#folders = [v1Folder, v2Folder].filter((path) => path !== undefined);
    for (const path of this.#folders) mkdirSync(path);
    this.entry = {
      path: name,
      v1Procs: v1Folder === undefined ? [] : [join(v1Folder, 'cgroup.procs')],
      ...(v2Folder === undefined ? {} : { v2Dir: v2Folder }),
    };
  }

  get processes(): string {
    return this.#folders.map((path) => readFileSync(join(path, 'cgroup.procs'), 'utf8')).join('');
  }

  [Symbol.dispose](): void {
    for (const path of this.#folders) rmdirSync(path);
  }
}
