import { createHash } from 'node:crypto';
import { HullError } from '../base/errors.ts';

/** `sha256:` and 64 lower-case hex digits (image-spec descriptor.md); other algorithms are refused. */
export type Digest = string;

export const digestPattern = /^sha256:[0-9a-f]{64}$/;

export const hexOf = (digest: Digest): string => digest.slice('sha256:'.length);

export const digestOf = (data: string | Uint8Array): Digest =>
  `sha256:${createHash('sha256').update(data).digest('hex')}`;

/**
 * image-spec config.md "Layer ChainID": names a layer with all below it.
 * @returns One chain id for each diff id, the topmost last.
 */
export function chainIds(diffIds: readonly Digest[]): readonly Digest[] {
  const chain: Digest[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    chain.push(below === undefined ? diffId : digestOf(`${below} ${diffId}`));
  }
  return chain;
}

/** Passes a stream on and knows its digest and length when it has ended. */
export class DigestStream {
  readonly #hash = createHash('sha256');
  #size = 0;

  async *through(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      this.#hash.update(chunk);
      this.#size += chunk.byteLength;
      yield chunk;
    }
  }

  /** Once, after the end. */
  finish(): { readonly digest: Digest; readonly size: number } {
    return { digest: `sha256:${this.#hash.digest('hex')}`, size: this.#size };
  }
}

/** @throws HullError `invalid` naming both. */
export function expectDigest(what: string, found: Digest, wanted: Digest): void {
  if (found === wanted) return;
  throw new HullError(`Cannot use ${what}: found digest ${found}, wanted ${wanted}`, { kind: 'invalid' });
}
