import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, HullError } from '../base/errors.ts';
import { ifGone, readField, readValue, writeValue } from './files.ts';
import type { Hierarchy } from './hierarchies.ts';
import { groupAndBelow } from './tree.ts';

/**
 * The one freezer of a host: the v1 controller where it is mounted, else v2's own (Linux 5.2). The two differ: a process
 * killed in a frozen v1 group hangs in state D until it is thawed; in a v2 group it dies at once.
 */
export class Freezer {
  readonly #hierarchy: Hierarchy;

  constructor(hierarchy: Hierarchy) {
    this.#hierarchy = hierarchy;
  }

  static of(hierarchies: readonly Hierarchy[]): Freezer | undefined {
    const found =
      hierarchies.find(({ version, controllers }) => version === 1 && controllers.includes('freezer')) ??
      hierarchies.find(({ version }) => version === 2);
    return found && new Freezer(found);
  }

  /** Waits until every process of the group is frozen; a group that does not settle is thawed again. */
  async freeze(path: string, timeoutMs: number): Promise<void> {
    const folder = join(this.#hierarchy.root, path);
    const deadline = performance.now() + timeoutMs;
    try {
      await this.#request(folder, true);
      for (let pause = 1; !(await this.#settled(folder)); pause = Math.min(pause * 2, 20)) {
        if (performance.now() > deadline) {
          throw new HullError(
            `Cannot freeze cgroup ${JSON.stringify(path)}: still freezing after ${timeoutMs} ms`,
            {
              kind: 'busy',
            },
          );
        }
        await sleep(pause);
        // v1 misses processes that were forking: asking again picks them up.
        if (this.#hierarchy.version === 1) await this.#request(folder, true);
      }
    } catch (error) {
      await this.thaw(path);
      throw error;
    }
  }

  /** Afterwards the group itself is not frozen; groups below that were frozen by themselves stay so. */
  async thaw(path: string): Promise<void> {
    await ifGone(this.#request(join(this.#hierarchy.root, path), false));
  }

  /** Afterwards nothing in it or below is frozen. */
  async thawAll(path: string): Promise<void> {
    const folders = await groupAndBelow(join(this.#hierarchy.root, path));
    await Promise.all(folders.map((folder) => ifGone(this.#request(folder, false))));
  }

  async frozen(path: string): Promise<boolean> {
    const folder = join(this.#hierarchy.root, path);
    if (this.#hierarchy.version === 2) return (await readValue(join(folder, 'cgroup.freeze'))) === '1';
    const state = await readValue(join(folder, 'freezer.state'));
    return state !== undefined && state !== 'THAWED';
  }

  async #request(folder: string, freeze: boolean): Promise<void> {
    const v1 = this.#hierarchy.version === 1;
    const [file, value] = v1
      ? ['freezer.state', freeze ? 'FROZEN' : 'THAWED']
      : ['cgroup.freeze', freeze ? '1' : '0'];
    try {
      await writeValue(join(folder, file), value);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' || !freeze) throw error;
      throw new HullError(
        `Cannot freeze ${JSON.stringify(folder)}: found no ${file}, wanted the group with a freezer (v1, or Linux 5.2)`,
        { kind: 'unsupported', cause: error },
      );
    }
  }

  async #settled(folder: string): Promise<boolean> {
    if (this.#hierarchy.version === 1) return (await readValue(join(folder, 'freezer.state'))) === 'FROZEN';
    return (await readField(join(folder, 'cgroup.events'), 'frozen')) === 1;
  }
}
