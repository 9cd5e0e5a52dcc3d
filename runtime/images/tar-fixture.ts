import { buffer } from 'node:stream/consumers';
import { type Header, pack } from 'tar-stream';

/** For tests: what tar-stream can write, or ready bytes for what it cannot. */
export type FixtureEntry =
  | (Partial<Header> & { readonly name: string; readonly data?: string | Buffer })
  | Buffer;

/** A tar with these entries, owned by whoever runs the test unless they say otherwise, with the end mark. */
export async function tarOf(entries: readonly FixtureEntry[]): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (const entry of entries) parts.push(Buffer.isBuffer(entry) ? entry : await oneEntry(entry));
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

/** An extended header with these records, byte for byte; the entry it belongs to comes next. */
export function paxOf(records: Readonly<Record<string, string | Buffer>>): Buffer {
  const data = Buffer.concat(
    Object.entries(records).map(([key, value]) => paxRecord(key, Buffer.from(value))),
  );
  return Buffer.concat([headerOf({ name: 'PaxHeaders/x', flag: 'x', size: data.length }), padded(data)]);
}

/** One header block with any bytes in its fields. */
export function headerOf(fields: {
  readonly name: string | Buffer;
  readonly flag: string;
  readonly size?: number | string;
  readonly linkName?: string;
  readonly mode?: string;
}): Buffer {
  const block = Buffer.alloc(512);
  block.write(
    typeof fields.name === 'string' ? fields.name : fields.name.toString('latin1'),
    0,
    100,
    'latin1',
  );
  block.write(fields.mode ?? '0000644\0', 100, 'latin1');
  block.write(octal(process.getuid?.() ?? 0, 8), 108, 'latin1');
  block.write(octal(process.getgid?.() ?? 0, 8), 116, 'latin1');
  block.write(typeof fields.size === 'string' ? fields.size : octal(fields.size ?? 0, 12), 124, 'latin1');
  block.write(octal(0, 12), 136, 'latin1');
  block.write('        ', 148, 'latin1');
  block.write(fields.flag, 156, 'latin1');
  block.write(fields.linkName ?? '', 157, 100, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** In pieces of an awkward size, so that nothing may count on whole blocks. */
export async function* piecesOf(data: Buffer, size = 777): AsyncGenerator<Buffer> {
  for (let start = 0; start < data.length; start += size) yield data.subarray(start, start + size);
}

export const padded = (data: Buffer): Buffer =>
  Buffer.concat([data, Buffer.alloc((512 - (data.length % 512)) % 512)]);

async function oneEntry({ data = '', ...header }: Exclude<FixtureEntry, Buffer>): Promise<Buffer> {
  const archive = pack();
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  archive.entry({ ...owner, mtime: new Date(0), ...header }, Buffer.from(data));
  archive.finalize();
  const bytes = await buffer(archive);
  return bytes.subarray(0, -1024);
}

function paxRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

const octal = (value: number, width: number): string => `${value.toString(8).padStart(width - 1, '0')}\0`;
