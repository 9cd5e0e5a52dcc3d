import { randomBytes } from 'node:crypto';
import { open, rm, stat } from 'node:fs/promises';
import { codeOf, ifExists } from '../base/errors.ts';

const size = 256 * 1024;

/**
 * A file that only takes up room: where the disk is full, it is given up, so that what makes room by removing can write down what it does.
 * It is filled again when there is room.
 */
export class Reserve {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Afterwards the room is taken, unless the disk is full. */
  async fill(): Promise<void> {
    if ((await ifExists(stat(this.#path)))?.size === size) return;
    try {
      await using file = await open(this.#path, 'w', 0o600);
      // Noise: some file systems keep zeros, or what they can compress, for free.
      await file.writeFile(randomBytes(size));
      await file.sync();
    } catch (error) {
      if (!isFull(error)) throw error;
      await rm(this.#path, { force: true });
    }
  }

  /** Does it, and once more with the room given up where the disk was full. The action must bear being tried again. */
  async spend<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      if (!isFull(error)) throw error;
      await rm(this.#path, { force: true });
    }
    const result = await action();
    await this.fill();
    return result;
  }
}

/** Whether it failed for want of room. */
export const isFull = (error: unknown): boolean => codeOf(error) === 'ENOSPC' || codeOf(error) === 'EDQUOT';
