import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, HullError } from '../base/errors.ts';
import { monotonicMs } from '../base/monotonic.ts';
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
    const deadline = monotonicMs() + timeoutMs;
    try {
      this.#request(folder, true);
      for (let pause = 1; !this.#settled(folder); pause = Math.min(pause * 2, 20)) {
        if (monotonicMs() > deadline) {
          throw new HullError(
            `Cannot freeze cgroup ${JSON.stringify(path)}: still freezing after ${timeoutMs} ms`,
            {
              kind: 'busy',
            },
          );
        }
        await sleep(pause);
        // v1 misses processes that were forking: asking again picks them up.
        if (this.#hierarchy.version === 1) this.#request(folder, true);
      }
    } catch (error) {
      this.thaw(path);
      throw error;
    }
  }

  /** Afterwards the group itself is not frozen; groups below that were frozen by themselves stay so. */
  thaw(path: string): void {
    ifGone(() => this.#request(join(this.#hierarchy.root, path), false));
  }

  /** Afterwards nothing in it or below is frozen. */
  thawAll(path: string): void {
    for (const folder of groupAndBelow(join(this.#hierarchy.root, path))) {
      ifGone(() => this.#request(folder, false));
    }
  }

  frozen(path: string): boolean {
    const folder = join(this.#hierarchy.root, path);
    if (this.#hierarchy.version === 2) return readValue(join(folder, 'cgroup.freeze')) === '1';
    const state = readValue(join(folder, 'freezer.state'));
    return state !== undefined && state !== 'THAWED';
  }

  #request(folder: string, freeze: boolean): void {
    const v1 = this.#hierarchy.version === 1;
    const [file, value] = v1
      ? ['freezer.state', freeze ? 'FROZEN' : 'THAWED']
      : ['cgroup.freeze', freeze ? '1' : '0'];
    try {
      writeValue(join(folder, file), value);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' || !freeze) throw error;
      throw new HullError(
        `Cannot freeze ${JSON.stringify(folder)}: found no ${file}, wanted the group with a freezer (v1, or Linux 5.2)`,
        { kind: 'unsupported', cause: error },
      );
    }
  }

  #settled(folder: string): boolean {
    if (this.#hierarchy.version === 1) return readValue(join(folder, 'freezer.state')) === 'FROZEN';
    return readField(join(folder, 'cgroup.events'), 'frozen') === 1;
  }
}
