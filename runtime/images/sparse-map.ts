import type { ByteQueue } from './byte-queue.ts';
import { blockSize, invalidTar, parseNumber } from './tar-header.ts';

/** A part of a sparse file that the archive has; all between is zeros that it has not. */
export interface Fragment {
  readonly offset: number;
  readonly length: number;
}

export interface SparseFile {
  /** Where the entry's own is another. */
  readonly name: string | undefined;
  /** With the holes. */
  readonly size: number;
  readonly fragments: readonly Fragment[];
  /** Bytes that are stored from here on: the fragments, one behind the other. */
  readonly stored: number;
}

/** A map beyond this is an attack. */
const largestMap = 4 * 1024 * 1024;
const prefix = 'GNU.sparse.';

/**
 * The map of an entry in one of GNU tar's four forms (its manual, "Storing Sparse Files"): type `S` with the map in the header and in
 * blocks behind it; PAX 0.0 and 0.1, in records; PAX 1.0, in front of the content, which is read here. Undefined where the entry is
 * no sparse file.
 * @param block The entry's header. @param storedSize What the entry says of its size in the archive.
 */
export async function readSparseMap(
  queue: ByteQueue,
  entry: {
    readonly flag: string;
    readonly block: Buffer;
    readonly storedSize: number;
    readonly offset: number;
  },
  records: ReadonlyMap<string, Buffer>,
): Promise<SparseFile | undefined> {
  const { flag, block, storedSize, offset } = entry;
  if (flag === 'S') {
    const fragments = await oldFragments(queue, block, offset);
    const size = Number(parseNumber(block, 483, 12));
    return checked({ name: undefined, size, fragments, stored: storedSize }, offset);
  }
  const text = (key: string) => records.get(`${prefix}${key}`)?.toString('latin1');
  const [major, minor, map] = [text('major'), text('minor'), text('map')];
  if ([major, map, text('offset'), text('size'), text('realsize')].every((each) => each === undefined))
    return undefined;
  const name = text('name');
  if (major === '1' && minor === '0') {
    const begin = queue.offset;
    const numbers = await leadingNumbers(queue, storedSize, offset);
    const size = Number(text('realsize') ?? text('size'));
    const stored = storedSize - (queue.offset - begin);
    return checked({ name, size, fragments: pairs(numbers, offset), stored }, offset);
  }
  if (major !== undefined && major !== '0') {
    throw invalidTar(
      offset,
      `found a sparse file of version ${major}.${minor ?? '?'}, wanted 0.0, 0.1 or 1.0`,
    );
  }
  const numbers = map === undefined ? byTurns(listOf(text('offset')), listOf(text('numbytes'))) : listOf(map);
  const size = Number(text('size') ?? text('realsize'));
  return checked({ name, size, fragments: pairs(numbers, offset), stored: storedSize }, offset);
}

const listOf = (text = ''): readonly number[] => text.split(',').filter(Boolean).map(Number);

const byTurns = (offsets: readonly number[], lengths: readonly number[]): readonly number[] =>
  offsets.flatMap((offset, index) => [offset, lengths[index] ?? Number.NaN]);

/** Four pairs in the header, 21 in each block behind it, as long as the block before says that there is one. */
async function oldFragments(queue: ByteQueue, header: Buffer, offset: number): Promise<readonly Fragment[]> {
  const fragments = fragmentsAt(header, 386, 4);
  let more = header[482] !== 0;
  for (let read = 0; more; read += blockSize) {
    const block = read < largestMap ? await queue.read(blockSize) : undefined;
    if (!block)
      throw invalidTar(offset, 'found a map of a sparse file without an end, wanted its last block');
    fragments.push(...fragmentsAt(block, 0, 21));
    more = block[504] !== 0;
  }
  return fragments;
}

function fragmentsAt(block: Buffer, start: number, count: number): Fragment[] {
  return Array.from({ length: count }, (_, index) => start + index * 24)
    .filter((at) => block[at] !== 0)
    .map((at) => ({
      offset: Number(parseNumber(block, at, 12)),
      length: Number(parseNumber(block, at + 12, 12)),
    }));
}

/** Version 1.0: how many pairs, then the pairs, a number a line, filled up to whole blocks. */
async function leadingNumbers(
  queue: ByteQueue,
  storedSize: number,
  offset: number,
): Promise<readonly number[]> {
  let text = '';
  let lines: readonly string[] = [];
  for (let wanted = 1; lines.length < wanted; wanted = 1 + 2 * Number(lines[0])) {
    const room = text.length + blockSize <= Math.min(storedSize, largestMap);
    const block = room ? await queue.read(blockSize) : undefined;
    if (!block)
      throw invalidTar(offset, 'found a map of a sparse file without an end, wanted all its numbers');
    text += block.toString('latin1');
    lines = text.split('\n').slice(0, -1);
    if (lines.length > 0 && !/^\d{1,7}$/.test(lines[0] ?? '')) break;
  }
  return lines.slice(1, 1 + 2 * Number(lines[0])).map(Number);
}

function pairs(numbers: readonly number[], offset: number): readonly Fragment[] {
  if (numbers.length % 2 !== 0)
    throw invalidTar(offset, `found ${numbers.length} numbers in the map of a sparse file, wanted pairs`);
  return Array.from({ length: numbers.length / 2 }, (_, index) => ({
    offset: numbers[2 * index] ?? Number.NaN,
    length: numbers[2 * index + 1] ?? Number.NaN,
  }));
}

/** In order, apart, within the file, and as many bytes as are stored. */
function checked(file: SparseFile, offset: number): SparseFile {
  const wrong = (reason: string) => invalidTar(offset, `found a sparse file ${reason}`);
  if (!Number.isSafeInteger(file.size) || file.size < 0)
    throw wrong(`of size ${file.size}, wanted 0 or more`);
  let [end, mapped] = [0, 0];
  for (const fragment of file.fragments) {
    const next = fragment.offset + fragment.length;
    if (!Number.isSafeInteger(next) || fragment.length < 0 || fragment.offset < end || next > file.size) {
      throw wrong(
        `of ${file.size} bytes with content from ${fragment.offset} to ${next}, wanted it between ${end} and its end`,
      );
    }
    end = next;
    mapped += fragment.length;
  }
  if (mapped !== file.stored) {
    throw wrong(`with ${mapped} bytes in its map and ${file.stored} stored, wanted as many`);
  }
  return file;
}
