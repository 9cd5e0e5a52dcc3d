import { randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { HullError, ifExists } from '../../base/errors.ts';
import { Dockerignore } from '../../build/context/dockerignore.ts';
import { textEntry } from '../../images/tar-writing/plain-entries.ts';
import { writeTar } from '../../images/tar-writing/write-tar.ts';
import { archiveContext } from './context-files.ts';

export interface OpenedContext {
  /** The Dockerfile's name in the archive. */
  readonly dockerfile: string;
  readonly archive: AsyncIterable<Uint8Array>;
}

/**
 * What `hull build` sends: a folder; with `-` what comes by standard input, an archive or the Dockerfile alone. The Dockerfile may be another
 * file, also outside of the folder, or `-` for standard input. Kind `invalid`.
 */
export async function openContext(
  context: string,
  file: string | undefined,
  input: Readable,
): Promise<OpenedContext> {
  if (context === '-') {
    if (file === '-') throw invalid('standard input cannot be both the context and the Dockerfile');
    return await fromInput(input, file);
  }
  if (/^(https?|git|ssh):\/\/|^git@/.test(context)) {
    throw invalid(`found the address ${context}, wanted a folder, or - with an archive by standard input`);
  }
  const folder = resolve(context);
  if (!(await ifExists(stat(folder)))?.isDirectory())
    throw invalid(`found no folder ${JSON.stringify(context)}`);
  const ignored = (await ifExists(readFile(join(folder, '.dockerignore'), 'utf8'))) ?? '';
  const ignore = new Dockerignore(ignored);
  const own = file === '-' ? undefined : relative(folder, resolve(file ?? join(folder, 'Dockerfile')));
  if (own !== undefined && !own.startsWith('..') && !isAbsolute(own)) {
    if (!(await ifExists(stat(join(folder, own)))))
      throw invalid(`found no Dockerfile ${JSON.stringify(own)} in it`);
    const needed = [own, '.dockerignore'];
    return { dockerfile: own, archive: archiveContext({ folder, ignore, needed, added: new Map() }) };
  }
  // It is none of the context's files: what is added for it is ignored again.
  const dockerfile = `.dockerfile.${randomBytes(10).toString('hex')}`;
  const added = new Map([
    [dockerfile, file === '-' ? await text(input) : await readText(file ?? '')],
    ['.dockerignore', `${ignored}\n.dockerignore\n${dockerfile}\n`],
  ]);
  return { dockerfile, archive: archiveContext({ folder, ignore, needed: [], added }) };
}

/** An archive, plain or compressed, or else a Dockerfile without files. */
async function fromInput(input: Readable, file: string | undefined): Promise<OpenedContext> {
  const chunks: Buffer[] = [];
  const iterator: AsyncIterator<Buffer> = input[Symbol.asyncIterator]();
  for (let length = 0; length < 512; ) {
    const next = await iterator.next();
    if (next.done) break;
    chunks.push(Buffer.from(next.value));
    length += next.value.length;
  }
  const start = Buffer.concat(chunks);
  async function* whole(): AsyncGenerator<Uint8Array> {
    yield start;
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value;
  }
  if (isArchive(start)) return { dockerfile: file ?? 'Dockerfile', archive: whole() };
  if (file !== undefined) throw invalid('found no archive by standard input, wanted one beside --file');
  const dockerfile = await text(Readable.from(whole()));
  return { dockerfile: 'Dockerfile', archive: writeTar([textEntry('Dockerfile', dockerfile)]) };
}

/** By the marks of gzip, bzip2, xz, zstd and tar. */
function isArchive(start: Buffer): boolean {
  const head = start.toString('hex', 0, 6);
  const compressed = ['1f8b', '425a68', 'fd377a585a00', '28b52ffd'].some((mark) => head.startsWith(mark));
  return compressed || start.toString('latin1', 257, 262) === 'ustar';
}

async function readText(path: string): Promise<string> {
  const found = await ifExists(readFile(path, 'utf8'));
  if (found === undefined) throw invalid(`found no Dockerfile ${JSON.stringify(path)}`);
  return found;
}

const invalid = (reason: string): HullError =>
  new HullError(`Cannot prepare the build's context: ${reason}`, { kind: 'invalid' });
