import { ByteQueue } from './byte-queue.ts';

const frameMagic = 0xfd2fb528;
const skippableMagic = 0x184d2a50;
const dictionaryIdSizes = [0, 1, 2, 4];

/**
 * The frames of a zstd stream (RFC 8878 3.1), each as its own stream, those to skip left out. Node's decoder ends with the first
 * frame and passes over what follows without a word, while pzstd and zstd:chunked write many.
 * Each stream must be read to its end before the next is asked for.
 * @throws RangeError with code ZSTD_FRAME where the stream is cut or is something else.
 */
export async function* zstdFrames(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<AsyncIterable<Uint8Array>> {
  await using queue = new ByteQueue(source);
  for (let first = await queue.some(1); first !== undefined; first = await queue.some(1)) {
    const start = Buffer.concat([first, await need(queue, 3)]);
    const magic = start.readUInt32LE();
    if (magic === frameMagic) yield oneFrame(queue, start);
    else if ((magic & ~0xf) >>> 0 !== skippableMagic) throw damaged(`magic number 0x${magic.toString(16)}`);
    else if (!(await queue.skip((await need(queue, 4)).readUInt32LE()))) throw damaged('the end of the file');
  }
}

async function* oneFrame(queue: ByteQueue, magic: Buffer): AsyncGenerator<Buffer> {
  yield magic;
  const descriptor = await need(queue, 1);
  yield descriptor;
  const flags = descriptor.readUInt8();
  const single = (flags & 0x20) !== 0;
  const sizeFlag = flags >> 6;
  const contentSize = sizeFlag === 0 ? Number(single) : 2 ** sizeFlag;
  yield await need(queue, Number(!single) + (dictionaryIdSizes[flags & 3] ?? 0) + contentSize);
  for (let last = false; !last; ) {
    const header = await need(queue, 3);
    yield header;
    const bits = header.readUIntLE(0, 3);
    last = (bits & 1) === 1;
    // A block of type 1 is one byte to repeat.
    yield* exactly(queue, ((bits >> 1) & 3) === 1 ? 1 : bits >> 3);
  }
  if (flags & 4) yield await need(queue, 4); // checksum
}

async function* exactly(queue: ByteQueue, count: number): AsyncGenerator<Buffer> {
  for (let missing = count; missing > 0; ) {
    const chunk = await queue.some(missing);
    if (chunk === undefined) throw damaged('the end of the file');
    yield chunk;
    missing -= chunk.length;
  }
}

async function need(queue: ByteQueue, count: number): Promise<Buffer> {
  const data = await queue.read(count);
  if (data === undefined) throw damaged('the end of the file');
  return data;
}

const damaged = (found: string): Error =>
  Object.assign(new RangeError(`found ${found} where a zstd frame goes on`), { code: 'ZSTD_FRAME' });
