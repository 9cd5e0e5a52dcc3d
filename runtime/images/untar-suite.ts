import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { type FixtureEntry, piecesOf, tarOf } from './tar-fixture.ts';
import { type UntarLimits, type UntarResult, untar } from './untar.ts';

/** For tests: a tree to unpack into, empty for each of them, in a folder with other things. */
export class UntarPlace {
  outside = '';

  /** With hooks for all tests of the file. */
  static forEach(): UntarPlace {
    const place = new UntarPlace();
    beforeEach(() => place.#make());
    afterEach(() => rm(place.outside, { recursive: true, force: true }));
    return place;
  }

  get root(): string {
    return join(this.outside, 'root');
  }

  readonly apply = async (entries: readonly FixtureEntry[], limits?: UntarLimits): Promise<UntarResult> =>
    untar(piecesOf(await tarOf(entries)), this.root, limits);

  /** All paths in the root, folders with a slash. */
  async tree(folder = this.root, prefix = ''): Promise<readonly string[]> {
    const entries = await readdir(folder, { withFileTypes: true });
    const lines = entries.map(async (entry) =>
      entry.isDirectory()
        ? [
            `${prefix}${entry.name}/`,
            ...(await this.tree(join(folder, entry.name), `${prefix}${entry.name}/`)),
          ]
        : [prefix + entry.name],
    );
    return (await Promise.all(lines)).flat().sort();
  }

  async #make(): Promise<void> {
    this.outside = await mkdtemp(join(tmpdir(), 'hull-untar-'));
    await mkdir(this.root);
    await writeFile(join(this.outside, 'secret'), 'untouched');
    await mkdir(join(this.outside, 'folder'));
  }
}
