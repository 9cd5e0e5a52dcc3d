import { nestedIn, type Reader } from './reader.ts';

/** One number of one disk; `op` as the kernel names it: Read, Write, Discard, … */
export interface IoEntry {
  readonly major: number;
  readonly minor: number;
  readonly op: string;
  readonly value: number;
}

export interface IoStats {
  readonly bytes: readonly IoEntry[];
  readonly operations: readonly IoEntry[];
  /** These only where a v1 scheduler counts them (CFQ, BFQ with debugging). Times in nanoseconds. */
  readonly queued?: readonly IoEntry[];
  readonly serviceTime?: readonly IoEntry[];
  readonly waitTime?: readonly IoEntry[];
  readonly merged?: readonly IoEntry[];
  readonly time?: readonly IoEntry[];
  readonly sectors?: readonly IoEntry[];
}

/** v1: what the scheduler counted (CFQ, BFQ), or what went through throttling; v2: io.stat. */
export function ioStats(reader: Reader): IoStats | undefined {
  return reader.version === 1 ? ioV1(reader) : ioV2(reader);
}

function ioV1(reader: Reader): IoStats | undefined {
  const names = new Set(reader.names());
  const scheduler = ['blkio.', 'blkio.bfq.'].find((prefix) => names.has(`${prefix}io_serviced_recursive`));
  const own = (name: string) => (scheduler === undefined ? [] : entries(reader, `${scheduler}${name}`));
  const bytes = own('io_service_bytes_recursive');
  const operations = own('io_serviced_recursive');
  const used = bytes.length > 0 || operations.length > 0;
  const throttled = (name: string) => {
    const recursive = entries(reader, `blkio.throttle.${name}_recursive`);
    return recursive.length > 0 ? recursive : entries(reader, `blkio.throttle.${name}`);
  };
  if (scheduler === undefined && !names.has('blkio.throttle.io_serviced')) return undefined;
  const more = {
    queued: own('io_queued_recursive'),
    serviceTime: own('io_service_time_recursive'),
    waitTime: own('io_wait_time_recursive'),
    merged: own('io_merged_recursive'),
    time: own('time_recursive'),
    sectors: own('sectors_recursive'),
  };
  return {
    bytes: used ? bytes : throttled('io_service_bytes'),
    operations: used ? operations : throttled('io_serviced'),
    ...Object.fromEntries(Object.entries(more).filter(([, list]) => list.length > 0)),
  };
}

/** `8:0 Read 4096`, or `8:0 4096` for what has no kinds; `Total 4096` at the end is left out. */
function entries(reader: Reader, file: string): readonly IoEntry[] {
  const lines = reader.text(file)?.split('\n') ?? [];
  return lines.flatMap((line) => {
    const match = /^(\d+):(\d+)(?: (\w+))? (\d+)$/.exec(line);
    if (!match) return [];
    const [, major, minor, op = '', value] = match;
    return [{ major: Number(major), minor: Number(minor), op, value: Number(value) }];
  });
}

function ioV2(reader: Reader): IoStats | undefined {
  if (reader.text('io.stat') === undefined) return undefined;
  const devices = nestedIn(reader, 'io.stat').flatMap(({ name, fields }) => {
    const match = /^(\d+):(\d+)$/.exec(name);
    return match ? [{ major: Number(match[1]), minor: Number(match[2]), fields }] : [];
  });
  const list = (keys: Readonly<Record<string, string>>): readonly IoEntry[] =>
    devices.flatMap(({ major, minor, fields }) =>
      Object.entries(keys).flatMap(([key, op]) =>
        fields[key] === undefined ? [] : [{ major, minor, op, value: Number(fields[key]) }],
      ),
    );
  return {
    bytes: list({ rbytes: 'Read', wbytes: 'Write', dbytes: 'Discard' }),
    operations: list({ rios: 'Read', wios: 'Write', dios: 'Discard' }),
  };
}
