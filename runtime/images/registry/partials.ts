import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ifExists } from '../../base/errors.ts';
import { type Digest, hexOf } from '../digest.ts';

/** Less than this is quicker fetched again than asked about. */
const worthKeeping = 1024 * 1024;
const longestKept = 24 * 60 * 60 * 1000;

/**
 * `<root>/partial/<hex>`: the first bytes of blobs whose download was cut, so that the next pull goes on from there. They are the only
 * thing that an interrupted pull may leave, and go when the blob is whole, proves wrong, or was not asked for in a day.
 */
export class Partials {
  readonly #folder: string;

  constructor(root: string) {
    this.#folder = join(root, 'partial');
  }

  async prepare(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
  }

  path(digest: Digest): string {
    return join(this.#folder, hexOf(digest));
  }

  async remove(digest: Digest): Promise<void> {
    await rm(this.path(digest), { force: true });
  }

  /** After a cut download: what is too short to be worth it goes. */
  async settle(digest: Digest): Promise<void> {
    const found = await ifExists(stat(this.path(digest)));
    if (found && found.size < worthKeeping) await this.remove(digest);
  }

  /** At start: removes what is old or short. Answers the names. */
  async sweep(now = Date.now()): Promise<readonly string[]> {
    const gone: string[] = [];
    for (const name of await readdir(this.#folder)) {
      const path = join(this.#folder, name);
      const { size, mtimeMs } = await stat(path);
      if (size >= worthKeeping && now - mtimeMs < longestKept && /^[0-9a-f]{64}$/.test(name)) continue;
      await rm(path, { recursive: true, force: true });
      gone.push(name);
    }
    return gone;
  }
}
