import { randomBytes } from 'node:crypto';
import { createReadStream, existsSync, writeSync } from 'node:fs';
import {
  access,
  type FileHandle,
  link,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
} from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder, writeFileAtomic } from '../base/atomic-file.ts';
import { Cleanup } from '../base/cleanup.ts';
import { codeOf, HullError, ifExists } from '../base/errors.ts';
import { type Digest, DigestStream, digestOf, digestPattern, expectDigest, hexOf } from './digest.ts';
import { type Descriptor, mediaTypes, parseManifest } from './documents.ts';

/** Bytes on the disk that have no name yet: whoever wants them calls `Blobs.keep`. */
export interface SpooledBlob {
  readonly path: string;
  readonly digest: Digest;
  readonly size: number;
  /** Its flush to the disk, which goes on while other things are done; absent where it is over. */
  readonly flushed?: Promise<void>;
}

/** As registries have it; layers are larger as a rule. */
const largestManifest = 4 * 1024 * 1024;

/** blobs/sha256 of an OCI image layout (image-spec image-layout.md). A blob is there whole, or not at all. */
export class Blobs {
  readonly #blobs: string;
  readonly #spool: string;

  constructor(root: string) {
    this.#blobs = join(root, 'blobs', 'sha256');
    this.#spool = join(root, 'spool');
  }

  async prepare(): Promise<void> {
    await mkdir(this.#blobs, { recursive: true, mode: 0o700 });
    await mkdir(this.#spool, { recursive: true, mode: 0o700 });
  }

  path(digest: Digest): string {
    return join(this.#blobs, hexOf(digest));
  }

  /** A folder for one load; it is gone with all that was not kept when the load ends. */
  async openSpool(): Promise<Spool> {
    const folder = join(this.#spool, randomBytes(8).toString('hex'));
    await mkdir(folder, { mode: 0o700 });
    return new Spool(folder);
  }

  /** Afterwards the blob is there; it takes the place of one that a damaged disk may have changed. It lasts after `flush`. */
  async keep({ path, digest, flushed }: SpooledBlob): Promise<void> {
    // Another image may have it: that one must not lose it to a power cut.
    if (existsSync(this.path(digest))) await flushed;
    // Two images of one archive may share a blob: the second finds it kept.
    if ((await ifExists(rename(path, this.path(digest)).then(() => true))) === undefined) {
      await access(this.path(digest));
    }
  }

  /** Afterwards these blobs, which were kept, outlast a power cut. */
  async flush(blobs: readonly SpooledBlob[]): Promise<void> {
    await Promise.all([...blobs.map(({ flushed }) => flushed), syncFolder(this.#blobs)]);
  }

  async put(data: string): Promise<{ digest: Digest; size: number }> {
    const digest = digestOf(data);
    await writeFileAtomic(this.path(digest), data);
    return { digest, size: Buffer.byteLength(data) };
  }

  /** A small blob, checked. Kinds `not-found`, `invalid`. */
  async readText(digest: Digest): Promise<string> {
    const data = await ifExists(readFile(this.path(digest)));
    if (data === undefined) {
      throw new HullError(`Cannot read blob ${digest}: found none, wanted it in ${this.#blobs}`, {
        kind: 'not-found',
      });
    }
    expectDigest(`blob ${this.path(digest)}`, digestOf(data), digest);
    return data.toString('utf8');
  }

  /** The blob under a second name in a spool, so that no removal takes it from who reads it; undefined where it is absent. */
  async hold(digest: Digest, spool: Spool): Promise<SpooledBlob | undefined> {
    return await ifExists(spool.link(this.path(digest), digest));
  }

  /** All image manifests among the blobs: what an index can be made of again. */
  async manifests(): Promise<readonly Descriptor[]> {
    const found: Descriptor[] = [];
    for (const name of await readdir(this.#blobs)) {
      const digest = `sha256:${name}`;
      const { size } = await stat(join(this.#blobs, name));
      if (!digestPattern.test(digest) || size > largestManifest) continue;
      try {
        const { mediaType = mediaTypes.manifest } = parseManifest(await this.readText(digest), digest);
        found.push({ mediaType, digest, size });
      } catch (error) {
        if (!(error instanceof HullError)) throw error;
      }
    }
    return found;
  }

  stream(digest: Digest): AsyncIterable<Uint8Array> {
    return createReadStream(this.path(digest), { highWaterMark: 1024 * 1024 });
  }

  /** Removes all but these blobs, and what loads that never ended have left. Only while nothing is loaded. */
  async sweep(wanted: ReadonlySet<Digest>): Promise<readonly string[]> {
    const hexes = new Set([...wanted].map(hexOf));
    const stray = (await readdir(this.#blobs)).filter((name) => !hexes.has(name));
    for (const name of stray) await rm(join(this.#blobs, name), { force: true });
    return stray;
  }

  async sweepSpool(): Promise<readonly string[]> {
    const stray = await readdir(this.#spool);
    for (const name of stray) await rm(join(this.#spool, name), { recursive: true, force: true });
    return stray;
  }
}

export class Spool implements AsyncDisposable {
  readonly #folder: string;
  readonly #flushing: Promise<void>[] = [];
  #count = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Writes a stream to the disk, hashed on the way. Its flush has begun. */
  async write(source: AsyncIterable<Uint8Array>): Promise<SpooledBlob> {
    const path = join(this.#folder, String(this.#count++));
    await using undo = new Cleanup();
    undo.push(() => rm(path, { force: true }));
    const hash = new DigestStream();
    const file = await open(path, 'wx', 0o600);
    try {
      let written = 0;
      for await (const chunk of hash.through(source)) {
        // A write to the page cache takes microseconds as long as that has room; one of many may wait for the disk.
        const atOnce = written < writtenAtOnce && chunk.byteLength <= largestAtOnce;
        for (let done = 0; done < chunk.byteLength; ) {
          done += atOnce ? writeSync(file.fd, chunk, done) : (await file.write(chunk, done)).bytesWritten;
        }
        written += chunk.byteLength;
      }
    } catch (error) {
      await file.close();
      throw explainFull(error, this.#folder);
    }
    undo.commit();
    const flushed = flushAndClose(file, this.#folder);
    // Who keeps the blob hears of its failure; who does not need not know. An archive may have many files: few are open at once.
    this.#flushing.push(flushed.catch(() => undefined));
    if (this.#flushing.length > openAtOnce) await this.#flushing.shift();
    return { path, ...hash.finish(), flushed };
  }

  /** Takes a whole file in by a further name; its content is that of the digest. Its own name may go. */
  async link(from: string, digest: Digest): Promise<SpooledBlob> {
    const path = join(this.#folder, String(this.#count++));
    await link(from, path);
    return { path, digest, size: (await stat(path)).size };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#flushing);
    await rm(this.#folder, { recursive: true, force: true });
  }
}

const largestAtOnce = 1024 * 1024;
const writtenAtOnce = 64 * 1024 * 1024;
const openAtOnce = 8;

async function flushAndClose(file: FileHandle, folder: string): Promise<void> {
  try {
    await file.sync();
  } catch (error) {
    throw explainFull(error, folder);
  } finally {
    await file.close();
  }
}

function explainFull(cause: unknown, folder: string): unknown {
  const code = codeOf(cause);
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return cause;
  return new HullError(
    `Cannot store the archive in ${JSON.stringify(folder)}: found the disk full (${code}), wanted room`,
    {
      kind: 'exhausted',
      cause,
    },
  );
}
