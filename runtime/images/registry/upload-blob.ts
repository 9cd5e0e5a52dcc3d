import { createReadStream } from 'node:fs';
import type { SpooledBlob } from '../blobs.ts';
import type { HttpAnswer, RequestBody } from './http.ts';
import { RegistryError, refusal } from './registry-error.ts';
import { retrying } from './retrying.ts';
import type { RegistrySession } from './session.ts';

export interface UploadOptions {
  readonly session: RegistrySession;
  /** Of the repository. */
  readonly path: string;
  readonly blob: SpooledBlob;
  /** Repositories of the same registry that may have the blob. */
  readonly mountFrom: readonly string[];
  readonly onBytes?: (current: number) => void;
  readonly onRetry?: (waitMs: number) => void;
}

export type UploadResult =
  | { readonly kind: 'pushed' | 'exists' }
  | { readonly kind: 'mounted'; readonly from: string };

export const pushScope = (path: string): readonly string[] => [`repository:${path}:pull,push`];

/** Larger blobs go in pieces of this size, so that a cut costs at most one piece. */
const pieceSize = 8 * 1024 * 1024;
const mostMounts = 3;

/**
 * Afterwards the registry has the blob: because it had it, because it took it from another of its repositories, or by upload (distribution-spec
 * "Pushing blobs"): at once where it is small, else in pieces. A cut upload is asked how far it came and goes on from there.
 */
export async function uploadBlob(options: UploadOptions): Promise<UploadResult> {
  const { session, mountFrom, onRetry } = options;
  const retry = {
    timing: session.timing,
    signal: session.signal,
    ...(onRetry && { onRetry: (waitMs: number) => onRetry(waitMs) }),
  };
  if (await retrying(() => hasBlob(options), retry)) return { kind: 'exists' };
  for (const from of mountFrom.slice(0, mostMounts)) {
    if (await retrying(() => mount(options, from), retry)) return { kind: 'mounted', from };
  }
  const upload = new Upload(options);
  const progressed = () => upload.hasProgressed();
  await retrying(() => upload.advance(), retry, progressed);
  return { kind: 'pushed' };
}

async function hasBlob({ session, path, blob }: UploadOptions): Promise<boolean> {
  const target = `/v2/${path}/blobs/${blob.digest}`;
  const head = await session.send({ method: 'HEAD', target, scopes: pushScope(path) });
  head.body.destroy();
  if (head.status >= 500) throw await refusal(head, 'whether the blob is there');
  return head.status === 200;
}

/** Whether the registry took the blob from another repository. The upload that it opens where it did not is given back. */
async function mount({ session, path, blob }: UploadOptions, from: string): Promise<boolean> {
  const query = new URLSearchParams({ mount: blob.digest, from });
  const scopes = [...pushScope(path), `repository:${from}:pull`];
  const answer = await session.send({
    method: 'POST',
    target: `/v2/${path}/blobs/uploads/?${query}`,
    scopes,
    headers: { 'Content-Length': '0' },
  });
  if (answer.status >= 500) throw await refusal(answer, 'the blob mounted');
  answer.body.destroy();
  if (answer.status === 202) {
    const given = await session.send({ method: 'DELETE', target: locationOf(answer), scopes });
    given.body.destroy();
  }
  return answer.status === 201;
}

/** One upload, over as many connections as it takes. */
class Upload {
  readonly #options: UploadOptions;
  readonly #scopes: readonly string[];
  #location: URL | undefined;
  #offset = 0;
  #reached = 0;

  constructor(options: UploadOptions) {
    this.#options = options;
    this.#scopes = pushScope(options.path);
  }

  /** Since the last time it was asked. */
  hasProgressed(): boolean {
    const more = this.#offset > this.#reached;
    this.#reached = Math.max(this.#reached, this.#offset);
    return more;
  }

  async advance(): Promise<void> {
    const { blob } = this.#options;
    if (this.#location) {
      await this.#askHowFar(this.#location);
      // It may be that the last answer alone was lost.
      if (!this.#location && (await hasBlob(this.#options))) return;
    }
    this.#location ??= await this.#begin();
    if (blob.size > pieceSize) {
      while (this.#offset < blob.size) await this.#sendPiece(this.#location);
    }
    await this.#finish(this.#location);
  }

  async #begin(): Promise<URL> {
    const { session, path } = this.#options;
    this.#offset = 0;
    const answer = await session.expect(
      {
        method: 'POST',
        target: `/v2/${path}/blobs/uploads/`,
        scopes: this.#scopes,
        headers: { 'Content-Length': '0' },
      },
      202,
    );
    answer.body.destroy();
    return locationOf(answer);
  }

  /** After a cut. A registry that no longer knows the upload, or does not say, gets it from the start. */
  async #askHowFar(location: URL): Promise<void> {
    const answer = await this.#options.session.send({
      method: 'GET',
      target: location,
      scopes: this.#scopes,
    });
    answer.body.destroy();
    const end = /^(?:bytes=)?0-(\d+)$/.exec(answer.headers.range ?? '')?.[1];
    if (answer.status >= 500) throw await refusal(answer, 'how far the upload came');
    this.#location = undefined;
    if (answer.status !== 204 || end === undefined) return;
    this.#location = answer.headers.location === undefined ? location : locationOf(answer);
    // "0-0" says nothing, or one byte; registries mean nothing by it.
    this.#offset = Number(end) === 0 ? 0 : Math.min(Number(end) + 1, this.#options.blob.size);
  }

  async #sendPiece(location: URL): Promise<void> {
    const { session, blob } = this.#options;
    const start = this.#offset;
    const end = Math.min(start + pieceSize, blob.size);
    const answer = await session.expect(
      {
        method: 'PATCH',
        target: location,
        scopes: this.#scopes,
        headers: { 'Content-Type': 'application/octet-stream', 'Content-Range': `${start}-${end - 1}` },
        body: this.#body(start, end),
      },
      202,
      204,
    );
    answer.body.destroy();
    this.#location = locationOf(answer);
    this.#offset = end;
  }

  async #finish(location: URL): Promise<void> {
    const { session, blob } = this.#options;
    const target = new URL(location);
    target.searchParams.set('digest', blob.digest);
    const rest = blob.size - this.#offset;
    const answer = await session.expect(
      {
        method: 'PUT',
        target,
        scopes: this.#scopes,
        headers: { 'Content-Type': 'application/octet-stream', ...(rest === 0 && { 'Content-Length': '0' }) },
        ...(rest > 0 && { body: this.#body(this.#offset, blob.size) }),
      },
      201,
      204,
    );
    answer.body.destroy();
    const found = answer.headers['docker-content-digest'];
    if (typeof found === 'string' && found !== blob.digest) {
      throw new RegistryError(`found the blob stored as ${found}, wanted ${blob.digest}`, {
        kind: 'invalid',
      });
    }
  }

  #body(start: number, end: number): RequestBody {
    const { blob, onBytes } = this.#options;
    return {
      length: end - start,
      async *open() {
        let sent = start;
        for await (const chunk of createReadStream(blob.path, { start, end: end - 1 })) {
          yield chunk;
          sent += chunk.length;
          onBytes?.(sent);
        }
      },
    };
  }
}

function locationOf({ headers, url }: HttpAnswer): URL {
  const { location } = headers;
  if (location !== undefined && URL.canParse(location, url.href)) return new URL(location, url);
  throw new RegistryError(
    `found Location ${JSON.stringify(location ?? '')}, wanted the address of an upload`,
    {
      kind: 'invalid',
    },
  );
}
