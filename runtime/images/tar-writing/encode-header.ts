import { type ByteString, blockSize, type FileTime, type TarHeader, type TarType } from '../tar-header.ts';

/**
 * A header as the bytes that go before the content: one ustar block, and before it an extended header (pax(1)) with what the block cannot
 * say: long names, bytes beyond ASCII, large numbers, fractions of a second, attributes. The choices, down to the extended
 * header's name, are those of Go's archive/tar, so that a digest of ours is the one that Docker gets for the same files.
 */
export function encodeHeader(header: TarHeader): Buffer {
  const { extended, splits } = recordsOf(header);
  const block = headerBlock(header, extended.size === 0 && splits);
  return extended.size === 0 ? block : Buffer.concat([extendedHeader(header.name, extended), block]);
}

/** Zeros that fill the content's last block. */
export const paddingOf = (size: number): Buffer => Buffer.alloc((blockSize - (size % blockSize)) % blockSize);

/** Two blocks of zeros. */
export const endMark = (): Buffer => Buffer.alloc(2 * blockSize);

const nameSize = 100;
const prefixSize = 155;
/** The types as the header's flag has them. */
export const typeFlags: Readonly<Record<TarType, string>> = {
  file: '0',
  link: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};

function recordsOf(header: TarHeader): {
  readonly extended: ReadonlyMap<string, Buffer>;
  readonly splits: boolean;
} {
  const extended = new Map<string, Buffer>();
  const { name, linkName, mtime } = header;
  const splits = splitName(name) !== undefined;
  // A name that only the prefix field makes room for is told again where an extended header is there anyway.
  const plain = isAscii(name) && name.length <= nameSize;
  let needed = !plain && !splits;
  if (!plain) extended.set('path', Buffer.from(name, 'latin1'));
  if (!isAscii(linkName) || linkName.length > nameSize) {
    extended.set('linkpath', Buffer.from(linkName, 'latin1'));
    needed = true;
  }
  for (const [key, value, width] of [
    ['uid', header.uid, 8],
    ['gid', header.gid, 8],
    ['size', header.size, 12],
  ] as const) {
    if (fitsOctal(value, width)) continue;
    extended.set(key, Buffer.from(String(value)));
    needed = true;
  }
  if (mtime.nanoseconds !== 0 || !fitsOctal(Number(mtime.seconds), 12)) {
    extended.set('mtime', Buffer.from(timeText(mtime)));
    needed = true;
  }
  for (const [key, value] of header.xattrs) {
    extended.set(`SCHILY.xattr.${key}`, value);
    needed = true;
  }
  return { extended: needed ? extended : new Map(), splits };
}

function headerBlock(header: TarHeader, split: boolean): Buffer {
  const block = Buffer.alloc(blockSize);
  const parts = split ? splitName(header.name) : undefined;
  text(block, 0, nameSize, parts?.name ?? header.name);
  octal(block, 100, 8, header.mode);
  octal(block, 108, 8, header.uid);
  octal(block, 116, 8, header.gid);
  octal(block, 124, 12, header.size);
  octal(block, 136, 12, Number(header.mtime.seconds));
  block.write(typeFlags[header.type], 156, 'latin1');
  text(block, 157, nameSize, header.linkName);
  octal(block, 329, 8, header.major);
  octal(block, 337, 8, header.minor);
  if (parts) text(block, 345, prefixSize, parts.prefix);
  return sealed(block);
}

function extendedHeader(name: ByteString, records: ReadonlyMap<string, Buffer>): Buffer {
  const data = Buffer.concat(
    [...records.keys()].sort(byBytes).map((key) => record(key, records.get(key) ?? Buffer.alloc(0))),
  );
  const slash = name.lastIndexOf('/') + 1;
  const folder = cleanFolder(name.slice(0, slash));
  const own = ascii([folder, 'PaxHeaders.0', name.slice(slash)].filter((part) => part !== '').join('/'));
  const block = Buffer.alloc(blockSize);
  text(block, 0, nameSize, own.slice(0, nameSize).replace(/\/+$/, ''));
  for (const [start, length] of [
    [100, 8],
    [108, 8],
    [116, 8],
    [136, 12],
  ] as const)
    octal(block, start, length, 0);
  octal(block, 124, 12, data.length);
  block.write('x', 156, 'latin1');
  return Buffer.concat([sealed(block), data, paddingOf(data.length)]);
}

/** Where a long name is cut into the prefix and name fields. */
function splitName(name: ByteString): { readonly prefix: string; readonly name: string } | undefined {
  if (name.length <= nameSize || !isAscii(name)) return undefined;
  let length = name.length;
  if (length > prefixSize + 1) length = prefixSize + 1;
  else if (name.endsWith('/')) length--;
  const at = name.slice(0, length).lastIndexOf('/');
  const rest = name.length - at - 1;
  if (at <= 0 || at > prefixSize || rest === 0 || rest > nameSize) return undefined;
  return { prefix: name.slice(0, at), name: name.slice(at + 1) };
}

function record(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
  let length = rest.length + String(rest.length).length;
  if (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

/** `1700000000.5`; before 1970 the sign is for the whole number. */
function timeText({ seconds, nanoseconds }: FileTime): string {
  if (nanoseconds === 0) return String(seconds);
  const negative = seconds < 0n;
  const whole = negative ? -(seconds + 1n) : seconds;
  const fraction = negative ? 1_000_000_000 - nanoseconds : nanoseconds;
  return `${negative ? '-' : ''}${whole}.${String(fraction).padStart(9, '0').replace(/0+$/, '')}`;
}

function sealed(block: Buffer): Buffer {
  block.write('ustar\x0000', 257, 'latin1');
  block.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** What the block cannot hold is cut, or 0: the extended header has it. */
function text(block: Buffer, start: number, length: number, value: ByteString): void {
  const shown = ascii(value);
  if (shown.length <= length) block.write(shown, start, 'latin1');
  // A cut name must not end in a slash, which would make it a folder's.
  else block.write(shown.slice(0, length).replace(/\/+$/, ''), start, 'latin1');
}

function octal(block: Buffer, start: number, width: number, value: number): void {
  const fitting = fitsOctal(value, width) ? value : 0;
  block.write(`${fitting.toString(8).padStart(width - 1, '0')}\0`, start, 'latin1');
}

const fitsOctal = (value: number, width: number): boolean => value >= 0 && value < 8 ** (width - 1);
const isAscii = (value: ByteString): boolean => !/[\u0080-\u00ff]/.test(value);
// What Go keeps of a name that it takes for UTF-8.
const ascii = (value: ByteString): string => value.replace(/[\u0080-\u00ff]/g, '');
const cleanFolder = (folder: string): string => folder.replace(/\/+$/, '').replace(/^(\.\/)+|^\.$/, '');
const byBytes = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
