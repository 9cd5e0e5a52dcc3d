import { HullError } from '../base/errors.ts';
import { ByteQueue } from './byte-queue.ts';
import { type Piece, piecesOf, withHoles } from './sparse-content.ts';
import { readSparseMap } from './sparse-map.ts';
import {
  blockSize,
  invalidTar,
  mergeHeader,
  parseHeader,
  parsePax,
  type RawHeader,
  showName,
  type TarHeader,
  type TarType,
} from './tar-header.ts';

export interface TarEntry extends TarHeader {
  /** The content, once, in order, holes as zeros; what is not read before the next entry is skipped. */
  body(): AsyncIterable<Buffer>;
  /** Of a sparse file, in place of `body`: what it has and where; all between is zeros. */
  readonly pieces?: () => AsyncIterable<Piece>;
}

export interface ReadTarOptions {
  /**
   * The archive may stop after an entry's last byte, without padding and end mark. So does the context that the docker client sends with
   * `-f -`: it closes the stream before the archive.
   */
  readonly mayLackEnd?: boolean;
}

/** An extended header or a long name beyond this is an attack, not a file name. */
const largestExtension = 4 * 1024 * 1024;

const types: Readonly<Record<string, TarType>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  S: 'file',
  '1': 'link',
  '2': 'symlink',
  '3': 'character',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
};

const none: ReadonlyMap<string, Buffer> = new Map();

/**
 * The entries of a tar stream (ustar, PAX, GNU long names and large numbers), read to its end. Strict where a tolerant reader
 * would hide damage: an archive that just stops, a lying size, bytes behind the end mark.
 *
 * Own code, because tar-stream reads PAX values as UTF-8, which destroys binary attributes (security.capability) and
 * names that are not UTF-8, and takes an archive cut between two entries for a whole one.
 * @throws HullError `invalid` (damaged) or `unsupported` (types that are no files), naming the byte.
 */
export async function* readTar(
  source: AsyncIterable<Uint8Array>,
  { mayLackEnd = false }: ReadTarOptions = {},
): AsyncGenerator<TarEntry, void, undefined> {
  await using queue = new ByteQueue(source);
  let defaults = none;
  let pax = none;
  let gnu: { name?: string; linkName?: string } = {};
  for (;;) {
    const offset = queue.offset;
    const block = await queue.read(blockSize);
    if (block === undefined) {
      const isWhole = queue.offset === offset && pax === none && Object.keys(gnu).length === 0;
      if (mayLackEnd && offset > 0 && isWhole) return;
      throw invalidTar(
        offset,
        `found the end of the file after ${queue.offset} bytes, wanted a further entry or the end mark`,
        'The archive is cut off.',
      );
    }
    const raw = parseHeader(block, offset);
    if (raw === undefined) break;
    switch (raw.flag) {
      case 'x':
        pax = new Map([...pax, ...parsePax(await extension(queue, raw, offset), offset)]);
        continue;
      case 'g':
        defaults = new Map([...defaults, ...parsePax(await extension(queue, raw, offset), offset)]);
        continue;
      case 'L':
        gnu = { ...gnu, name: cString(await extension(queue, raw, offset)) };
        continue;
      case 'K':
        gnu = { ...gnu, linkName: cString(await extension(queue, raw, offset)) };
        continue;
    }
    const header = mergeHeader(
      raw,
      typeOf(raw, pax.get('path')?.toString('latin1') ?? gnu.name ?? raw.name, offset),
      defaults.size > 0 ? new Map([...defaults, ...pax]) : pax,
      gnu,
      offset,
    );
    if (!Number.isSafeInteger(header.size) || header.size < 0) {
      throw invalidTar(
        offset,
        `found entry ${showName(header.name)} with size ${header.size}, wanted 0 or more`,
      );
    }
    const entry = { flag: raw.flag, block, storedSize: header.size, offset };
    const sparse = header.type === 'file' ? await readSparseMap(queue, entry, pax) : undefined;
    pax = none;
    gnu = {};
    const end = queue.offset + (sparse?.stored ?? header.size);
    if (sparse) {
      const { name = header.name, size, fragments } = sparse;
      const pieces = () => piecesOf(fragments, content(queue, end, header));
      yield { ...header, name, size, pieces, body: () => withHoles(pieces(), size) };
    } else yield { ...header, body: () => content(queue, end, header) };
    if (!(await queue.skip(end - queue.offset))) throw truncated(header, end, queue.offset);
    await queue.skip(padding(header.size));
  }
  await expectZeros(queue);
}

async function extension(queue: ByteQueue, { size, name }: RawHeader, offset: number): Promise<Buffer> {
  if (!(size >= 0 && size <= largestExtension)) {
    throw invalidTar(offset, `found an extended header of ${size} bytes, wanted at most ${largestExtension}`);
  }
  const data = await queue.read(size);
  if (data === undefined) throw truncated({ name, size }, offset + blockSize + size, queue.offset);
  await queue.skip(padding(size));
  return data;
}

async function* content(queue: ByteQueue, end: number, header: TarHeader): AsyncGenerator<Buffer> {
  while (queue.offset < end) {
    const chunk = await queue.some(end - queue.offset);
    if (chunk === undefined) throw truncated(header, end, queue.offset);
    yield chunk;
  }
}

async function expectZeros(queue: ByteQueue): Promise<void> {
  for (;;) {
    const offset = queue.offset;
    const chunk = await queue.some(65_536);
    if (chunk === undefined) return;
    if (chunk.some((byte) => byte !== 0)) {
      throw invalidTar(offset, 'found bytes behind the end mark, wanted zeros or the end of the file');
    }
  }
}

function typeOf(raw: RawHeader, name: string, offset: number): TarType {
  const type = types[raw.flag];
  if (type === undefined) throw unsupported(raw, `type ${JSON.stringify(raw.flag)}`, offset);
  // Before POSIX a folder was a file whose name ends so; the whole name, not what of it fits into the block.
  return type === 'file' && name.endsWith('/') ? 'directory' : type;
}

function unsupported({ name }: RawHeader, what: string, offset: number): HullError {
  return new HullError(
    `Cannot read entry ${showName(name)} at byte ${offset}: found ${what}, wanted a file, link, folder, device or fifo`,
    { kind: 'unsupported' },
  );
}

function truncated({ name, size }: { name: string; size: number }, end: number, offset: number): HullError {
  return invalidTar(
    offset,
    `found the end of the file ${end - offset} bytes before the end of entry ${showName(name)}, wanted all of its ${size} bytes`,
    'The archive is cut off.',
  );
}

const padding = (size: number): number => (blockSize - (size % blockSize)) % blockSize;

const cString = (data: Buffer): string => {
  const end = data.indexOf(0);
  return data.toString('latin1', 0, end < 0 ? data.length : end);
};
