import { HullError } from '../base/errors.ts';

/**
 * Names of archive entries are byte strings: one character per byte ('latin1'), because a file name is bytes and
 * need not be UTF-8. `showName` makes one readable, `Buffer.from(name, 'latin1')` gives it to the kernel.
 */
export type ByteString = string;

export type TarType = 'file' | 'link' | 'symlink' | 'character' | 'block' | 'directory' | 'fifo';

export interface FileTime {
  readonly seconds: bigint;
  /** 0–999999999. */
  readonly nanoseconds: number;
}

/** Of nanoseconds since 1970, which may be before it. */
export function timeOf(nanoseconds: bigint): FileTime {
  const billion = 1_000_000_000n;
  const rest = ((nanoseconds % billion) + billion) % billion;
  return { seconds: (nanoseconds - rest) / billion, nanoseconds: Number(rest) };
}

export interface TarHeader {
  readonly type: TarType;
  readonly name: ByteString;
  readonly linkName: ByteString;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of content; 0 for all types but files. */
  readonly size: number;
  readonly mtime: FileTime;
  readonly major: number;
  readonly minor: number;
  /** From `SCHILY.xattr.` records. */
  readonly xattrs: ReadonlyMap<string, Buffer>;
}

/** A header block as it stands, before PAX records and GNU long names are put over it. */
export interface RawHeader extends Omit<TarHeader, 'type' | 'xattrs'> {
  readonly flag: string;
}

export const blockSize = 512;

/**
 * One 512-byte header (pax(1) "ustar Interchange Format", and GNU's base-256 numbers); undefined for a zero block.
 * @throws HullError `invalid` naming the block's offset.
 */
export function parseHeader(block: Buffer, offset: number): RawHeader | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  const wanted = Number(parseNumber(block, 148, 8));
  const found = checksum(block);
  if (wanted !== found) {
    throw invalidTar(
      offset,
      `found header checksum ${wanted}, wanted ${found}`,
      'The file may not be a tar archive, or be damaged.',
    );
  }
  const name = text(block, 0, 100);
  const prefix = text(block, 257, 6).startsWith('ustar') && block[262] === 0 ? text(block, 345, 155) : '';
  return {
    name: prefix ? `${prefix}/${name}` : name,
    mode: Number(parseNumber(block, 100, 8)),
    uid: Number(parseNumber(block, 108, 8)),
    gid: Number(parseNumber(block, 116, 8)),
    size: Number(parseNumber(block, 124, 12)),
    mtime: { seconds: parseNumber(block, 136, 12), nanoseconds: 0 },
    flag: String.fromCharCode(block[156] ?? 0),
    linkName: text(block, 157, 100),
    major: Number(parseNumber(block, 329, 8)),
    minor: Number(parseNumber(block, 337, 8)),
  };
}

/**
 * The records of an extended header, pax(1): `<length> <key>=<value>\n`. Values are bytes. Of a key that comes again the
 * last one holds, but for the two that list the fragments of a sparse file: theirs are joined by commas.
 * @throws HullError `invalid` naming the offset.
 */
export function parsePax(data: Buffer, offset: number): ReadonlyMap<string, Buffer> {
  const records = new Map<string, Buffer>();
  const lists = new Map(listKeys.map((key): [string, Buffer[]] => [key, []]));
  for (let start = 0; start < data.length; ) {
    const space = data.indexOf(0x20, start);
    const length = space < 0 ? Number.NaN : Number(data.toString('latin1', start, space));
    const end = start + length;
    const equals = data.indexOf(0x3d, space);
    const sound = Number.isInteger(length) && end <= data.length && end > space && data[end - 1] === 0x0a;
    if (!sound || equals < 0 || equals >= end) {
      throw invalidTar(
        offset,
        `found ${JSON.stringify(data.toString('latin1', start, start + 40))}, wanted "<length> <key>=<value>\\n"`,
      );
    }
    const key = data.toString('utf8', space + 1, equals);
    const value = data.subarray(equals + 1, end - 1);
    lists.get(key)?.push(value);
    records.set(key, value);
    start = end;
  }
  for (const [key, values] of lists) if (values.length > 1) records.set(key, Buffer.from(values.join(',')));
  return records;
}

/** The header that holds: PAX records win over GNU long names, those over the block. */
export function mergeHeader(
  raw: RawHeader,
  type: TarType,
  pax: ReadonlyMap<string, Buffer>,
  gnu: { readonly name?: ByteString; readonly linkName?: ByteString },
  offset: number,
): TarHeader {
  const bytes = (key: string) => pax.get(key)?.toString('latin1');
  const decimal = (key: string, otherwise: number): number => {
    const value = bytes(key);
    if (value === undefined || value === '') return otherwise;
    if (!/^-?\d+(\.\d*)?$/.test(value))
      throw invalidTar(offset, `found ${key}=${JSON.stringify(value)}, wanted a number`);
    return Number(value);
  };
  const mtime = bytes('mtime');
  return {
    type,
    name: bytes('path') ?? gnu.name ?? raw.name,
    linkName: bytes('linkpath') ?? gnu.linkName ?? raw.linkName,
    mode: raw.mode & 0o7777,
    uid: decimal('uid', raw.uid),
    gid: decimal('gid', raw.gid),
    size: type === 'file' ? decimal('size', raw.size) : 0,
    mtime: mtime ? parseTime(mtime, offset) : raw.mtime,
    major: raw.major,
    minor: raw.minor,
    xattrs: new Map(
      [...pax]
        .filter(([key]) => key.startsWith(xattrPrefix))
        .map(([key, value]) => [key.slice(xattrPrefix.length), value]),
    ),
  };
}

const listKeys = ['GNU.sparse.offset', 'GNU.sparse.numbytes'];
const xattrPrefix = 'SCHILY.xattr.';

/** As shown in messages: UTF-8 where it is, and escaped. */
export const showName = (name: ByteString): string =>
  JSON.stringify(Buffer.from(name, 'latin1').toString('utf8'));

export function invalidTar(offset: number, reason: string, hint?: string): HullError {
  return new HullError(`Cannot read the archive at byte ${offset}: ${reason}`, {
    kind: 'invalid',
    ...(hint === undefined ? {} : { hint }),
  });
}

/** `1700000000.123456789`; before 1970 the fraction still counts forward. */
function parseTime(value: string, offset: number): FileTime {
  const match = /^(-?)(\d+)(?:\.(\d*))?$/.exec(value);
  if (!match) throw invalidTar(offset, `found mtime=${JSON.stringify(value)}, wanted seconds`);
  const [, sign, whole = '0', fraction = ''] = match;
  const nanoseconds = Number(fraction.slice(0, 9).padEnd(9, '0'));
  const seconds = BigInt(whole);
  if (!sign) return { seconds, nanoseconds };
  return nanoseconds === 0
    ? { seconds: -seconds, nanoseconds }
    : { seconds: -seconds - 1n, nanoseconds: 1_000_000_000 - nanoseconds };
}

function text(block: Buffer, start: number, length: number): ByteString {
  const end = block.indexOf(0, start);
  return block.toString('latin1', start, end < 0 || end > start + length ? start + length : end);
}

/** Octal digits, or two's complement when the first byte's top bit is set. */
export function parseNumber(block: Buffer, start: number, length: number): bigint {
  const first = block[start] ?? 0;
  if (first & 0x80) {
    const raw = BigInt(`0x${block.toString('hex', start, start + length)}`);
    const bits = BigInt(length * 8);
    // 0x80… is a positive number below its marker bit, 0xff… a negative one.
    return first & 0x40 ? raw - (1n << bits) : raw & ((1n << (bits - 1n)) - 1n);
  }
  const digits = text(block, start, length).trim();
  return /^[0-7]+$/.test(digits) ? BigInt(`0o${digits}`) : 0n;
}

function checksum(block: Buffer): number {
  let sum = 8 * 0x20;
  for (let index = 0; index < blockSize; index++) {
    if (index < 148 || index >= 156) sum += block[index] ?? 0;
  }
  return sum;
}
