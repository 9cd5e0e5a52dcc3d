import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, HullError, ifExists } from '../../base/errors.ts';
import { KeyedMutex } from '../keyed-mutex.ts';
import type { ThinPool } from './thin-pool.ts';

/**
 * The metadata of an active pool as it is at one moment, for programs to read (thin-provisioning.rst, "reserve_metadata_snap"). A pool has one at
 * most, and keeps it through crashes and reboots. In a pool of ours nobody else takes one, so what is found was left by a crash; in a pool of the
 * host's only the one whose block number was noted is ours:
 *
 *     <home>/metadata-snapshot    that number, as long as it is held
 */
export class MetadataSnapshot {
  readonly #pool: ThinPool;
  readonly #isOurs: boolean;
  readonly #note: string;
  readonly #turns = new KeyedMutex();

  constructor(pool: ThinPool, { home, isOurs }: { readonly home: string; readonly isOurs: boolean }) {
    this.#pool = pool;
    this.#isOurs = isOurs;
    this.#note = join(home, 'metadata-snapshot');
  }

  /** Runs `read` with the node of the metadata device while the snapshot is held. Kind `busy` where somebody else holds one. */
  async use<T>(read: (metadata: string) => Promise<T>): Promise<T> {
    using _ = await this.#turns.take(this.#pool.name);
    await this.releaseLeft();
    const metadata = await this.#pool.metadataNode();
    try {
      this.#pool.reserveMetadata();
    } catch (cause) {
      if (codeOf(cause) !== 'EBUSY') throw cause;
      throw new HullError(
        `Cannot read the metadata of pool ${this.#pool.name}: somebody else holds its snapshot`,
        {
          kind: 'busy',
          hint: `If nobody does: dmsetup message ${this.#pool.name} 0 release_metadata_snap`,
          cause,
        },
      );
    }
    try {
      if (!this.#isOurs) await writeFile(this.#note, String(this.#pool.status().heldRoot), { mode: 0o600 });
      return await read(metadata);
    } finally {
      this.#pool.releaseMetadata();
      if (!this.#isOurs) await rm(this.#note, { force: true });
    }
  }

  /** Afterwards none is held that a crash of ours left. Answers whether there was one. */
  async releaseLeft(): Promise<boolean> {
    const { heldRoot } = this.#pool.status();
    if (!this.#isOurs) {
      const noted = await ifExists(readFile(this.#note, 'utf8'));
      await rm(this.#note, { force: true });
      if (heldRoot === undefined || noted !== String(heldRoot)) return false;
    }
    if (heldRoot === undefined) return false;
    this.#pool.releaseMetadata();
    return true;
  }
}
