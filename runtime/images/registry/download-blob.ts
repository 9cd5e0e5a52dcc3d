import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { codeOf, HullError } from '../../base/errors.ts';
import type { Descriptor } from '../documents.ts';
import { pullScope } from './manifests.ts';
import { RegistryError, refusal } from './registry-error.ts';
import { retrying } from './retrying.ts';
import type { RegistrySession } from './session.ts';

export interface DownloadOptions {
  readonly session: RegistrySession;
  /** Of the repository. */
  readonly path: string;
  readonly blob: Descriptor;
  /** May hold the first bytes already. */
  readonly file: string;
  readonly onBytes?: (current: number) => void;
  readonly onRetry?: (waitMs: number) => void;
}

/** A try that brings less has brought nothing. */
const noteworthy = 64 * 1024;

/**
 * Afterwards the file holds the blob, its digest and size checked, flushed. A cut connection is gone on with from the last byte (Range), as
 * long as the tries bring something. On an error the file keeps what came; kind `unavailable` alone means that it is good for a resume.
 */
export async function downloadBlob(options: DownloadOptions): Promise<void> {
  const { session, blob, file: path } = options;
  await using file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  const partial = new Partial(file, blob);
  await partial.readBack();
  for (;;) {
    const resumed = partial.offset > 0;
    let reached = partial.offset;
    const progressed = () => {
      const more = partial.offset - reached;
      reached = partial.offset;
      return more >= noteworthy;
    };
    try {
      await retrying(
        () => fetchRest(options, partial),
        { ...retryOf(session), ...onRetry(options) },
        progressed,
      );
    } catch (error) {
      throw explainFull(error, blob);
    }
    const found = partial.digest();
    if (found === blob.digest) break;
    if (!resumed) {
      throw new RegistryError(`found a blob with digest ${found}, wanted ${blob.digest}`, {
        kind: 'invalid',
      });
    }
    // What was kept from before may be the damaged part.
    await partial.restart();
  }
  await file.sync();
}

/** The first bytes of a blob on the disk, and their hash so far. */
class Partial {
  readonly #file: FileHandle;
  readonly #blob: Descriptor;
  #hash: Hash = createHash('sha256');
  #offset = 0;

  constructor(file: FileHandle, blob: Descriptor) {
    this.#file = file;
    this.#blob = blob;
  }

  get offset(): number {
    return this.#offset;
  }

  async readBack(): Promise<void> {
    if ((await this.#file.stat()).size > this.#blob.size) return await this.restart();
    for await (const chunk of this.#file.createReadStream({ start: 0, autoClose: false })) {
      this.#hash.update(chunk);
      this.#offset += chunk.length;
    }
  }

  async restart(): Promise<void> {
    await this.#file.truncate(0);
    this.#hash = createHash('sha256');
    this.#offset = 0;
  }

  async append(chunk: Uint8Array): Promise<void> {
    const { size, digest } = this.#blob;
    if (this.#offset + chunk.byteLength > size) {
      throw new RegistryError(`found blob ${digest} with more than ${size} bytes, wanted as many`, {
        kind: 'invalid',
      });
    }
    for (let done = 0; done < chunk.byteLength; ) {
      done += (await this.#file.write(chunk, done, chunk.byteLength - done, this.#offset + done))
        .bytesWritten;
    }
    this.#hash.update(chunk);
    this.#offset += chunk.byteLength;
  }

  digest(): string {
    return `sha256:${this.#hash.copy().digest('hex')}`;
  }
}

async function fetchRest({ session, path, blob, onBytes }: DownloadOptions, partial: Partial): Promise<void> {
  if (partial.offset === blob.size) return;
  const from = partial.offset;
  const answer = await session.send({
    method: 'GET',
    target: `/v2/${path}/blobs/${blob.digest}`,
    scopes: pullScope(path),
    headers: from > 0 ? { Range: `bytes=${from}-` } : {},
  });
  try {
    if (answer.status === 416 && from > 0) {
      await partial.restart();
      throw new RegistryError(`found no bytes of blob ${blob.digest} from ${from} on, wanted the rest`, {
        kind: 'unavailable',
      });
    }
    if (answer.status === 206) expectRange(answer.headers['content-range'], from, blob);
    else if (answer.status === 200) {
      expectLength(answer.headers['content-length'], blob);
      // A server without Range sends all of it again.
      if (from > 0) await partial.restart();
    } else throw await refusal(answer, 'the blob');
    for await (const chunk of answer.body) {
      await partial.append(chunk);
      onBytes?.(partial.offset);
    }
  } finally {
    answer.body.destroy();
  }
  if (partial.offset < blob.size) {
    throw new RegistryError(
      `found ${partial.offset} bytes of blob ${blob.digest}, wanted ${blob.size}: the answer ended early`,
      { kind: 'unavailable' },
    );
  }
}

function expectRange(header: string | undefined, from: number, { digest, size }: Descriptor): void {
  const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(header ?? '') ?? [];
  if (Number(start) === from && (total === '*' || Number(total) === size)) return;
  throw new RegistryError(
    `found range ${JSON.stringify(header ?? '')} of blob ${digest}, wanted bytes from ${from} of ${size}`,
    { kind: 'invalid' },
  );
}

function expectLength(header: string | undefined, { digest, size }: Descriptor): void {
  if (header === undefined || Number(header) === size) return;
  throw new RegistryError(`found blob ${digest} with ${header} bytes, wanted ${size} as the manifest says`, {
    kind: 'invalid',
  });
}

const retryOf = ({ timing, signal }: RegistrySession) => ({ timing, signal });

const onRetry = ({ onRetry: hear }: DownloadOptions) =>
  hear ? { onRetry: (waitMs: number) => hear(waitMs) } : {};

function explainFull(cause: unknown, { digest }: Descriptor): unknown {
  const code = codeOf(cause);
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return cause;
  return new HullError(`Cannot store blob ${digest}: found the disk full (${code}), wanted room`, {
    kind: 'exhausted',
    cause,
  });
}
