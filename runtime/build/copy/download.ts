import { createWriteStream } from 'node:fs';
import { utimes } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { HullError } from '../../base/errors.ts';
import { fetchFailed, fetchUrl } from '../../images/fetch-url.ts';
import type { BuildOutput } from '../output.ts';
import type { Source } from './find-sources.ts';
import { SourceTree } from './source-tree.ts';

export const isUrl = (word: string): boolean => /^https?:\/\//.test(word);

export interface DownloadOptions {
  /** A new folder for it. */
  readonly folder: string;
  readonly destination: string;
  readonly signal: AbortSignal;
  readonly output: BuildOutput;
}

/** ADD of a URL: a file 0600 with the server's time, named as the URL ends. Kinds `invalid`, `unavailable`. */
export async function download(
  url: string,
  { folder, destination, signal, output }: DownloadOptions,
): Promise<Source> {
  const response = await fetchUrl(url, signal);
  const name = nameOf(url, response);
  if (name === undefined && destination.endsWith('/')) {
    throw new HullError(`cannot determine filename for source ${url}`, { kind: 'invalid' });
  }
  const path = name ?? '__unnamed__';
  const total = Number(response.headers.get('content-length') ?? 0);
  const body = response.body ? Readable.fromWeb(response.body) : Readable.from([]);
  const file = join(folder, path);
  try {
    await pipeline(told(body, total, output), createWriteStream(file, { mode: 0o600, flags: 'wx' }), {
      signal,
    });
  } catch (error) {
    throw fetchFailed(url, error);
  }
  output.text('\n');
  const changed = Date.parse(response.headers.get('last-modified') ?? '');
  const time = Number.isNaN(changed) ? 0 : changed / 1000;
  await utimes(file, time, time);
  const tree = new SourceTree(folder);
  const bytes = Buffer.from(path, 'utf8').toString('latin1');
  using found = tree.find(bytes);
  if (!found) throw new Error(`unreachable: ${file}`);
  return { tree, path: bytes, checksum: await tree.checksum(found), staysPacked: true };
}

/** The last part of the URL's path, else what the server calls it. Never a path: it names a file in one folder. */
function nameOf(url: string, response: Response): string | undefined {
  const { pathname } = new URL(url);
  const [, said = ''] = /filename="?([^";]+)"?/.exec(response.headers.get('content-disposition') ?? '') ?? [];
  const own = pathname.endsWith('/') ? '' : posix.basename(decode(pathname));
  const name = own || (said.endsWith('/') ? '' : posix.basename(said));
  return name === '' || name === '.' || name === '..' || /[/\0]/.test(name) ? undefined : name;
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

async function* told(
  body: AsyncIterable<Uint8Array>,
  total: number,
  output: BuildOutput,
): AsyncGenerator<Uint8Array> {
  let current = 0;
  for await (const chunk of body) {
    current += chunk.byteLength;
    output.line({ status: 'Downloading', progressDetail: { current, ...(total > 0 && { total }) } });
    yield chunk;
  }
}
