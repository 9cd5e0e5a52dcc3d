import { flatIn, limitOf, nestedIn, numberIn, type Reader } from './reader.ts';

export interface PidsStats {
  readonly current: number;
  readonly limit?: number;
  /** Forks refused by the limit. */
  readonly refused?: number;
}

export function pidsStats(reader: Reader): PidsStats | undefined {
  const current = numberIn(reader, 'pids.current');
  if (current === undefined) return undefined;
  const limit = numberIn(reader, 'pids.max');
  const refused = flatIn(reader, 'pids.events')?.['max'];
  return {
    current,
    ...(limit === undefined ? {} : { limit }),
    ...(refused === undefined ? {} : { refused }),
  };
}

/** Bytes, by page size as `2MB`. */
export type HugetlbStats = Readonly<
  Record<string, { readonly usage: number; readonly peak?: number; readonly failures?: number }>
>;

export function hugetlbStats(reader: Reader): HugetlbStats | undefined {
  const [usage, suffix] =
    reader.version === 1
      ? (['usage_in_bytes', /^hugetlb\.([^.]+)\.usage_in_bytes$/] as const)
      : (['current', /^hugetlb\.([^.]+)\.current$/] as const);
  const sizes = reader.names().flatMap((name) => suffix.exec(name)?.[1] ?? []);
  if (sizes.length === 0) return undefined;
  return Object.fromEntries(
    sizes.map((size) => {
      const peak = numberIn(reader, `hugetlb.${size}.max_usage_in_bytes`);
      const failures =
        numberIn(reader, `hugetlb.${size}.failcnt`) ?? flatIn(reader, `hugetlb.${size}.events`)?.['max'];
      return [
        size,
        {
          usage: numberIn(reader, `hugetlb.${size}.${usage}`) ?? 0,
          ...(peak === undefined ? {} : { peak }),
          ...(failures === undefined ? {} : { failures }),
        },
      ];
    }),
  );
}

/** By device. */
export type RdmaStats = Readonly<Record<string, { readonly handles: number; readonly objects: number }>>;

export function rdmaStats(reader: Reader): RdmaStats | undefined {
  const devices = nestedIn(reader, 'rdma.current');
  if (devices.length === 0) return undefined;
  return Object.fromEntries(
    devices.map(({ name, fields }) => [
      name,
      { handles: Number(fields['hca_handle'] ?? 0), objects: Number(fields['hca_object'] ?? 0) },
    ]),
  );
}

/** By resource, as `sev`. */
export type MiscStats = Readonly<
  Record<string, { readonly usage: number; readonly limit?: number; readonly failures?: number }>
>;

export function miscStats(reader: Reader): MiscStats | undefined {
  const current = flatIn(reader, 'misc.current');
  if (!current || Object.keys(current).length === 0) return undefined;
  const limits = new Map(
    (reader.text('misc.max') ?? '').split('\n').map((line) => {
      const [name = '', value] = line.split(' ');
      return [name, limitOf(value)];
    }),
  );
  const events = flatIn(reader, 'misc.events') ?? {};
  return Object.fromEntries(
    Object.entries(current).map(([name, usage]) => {
      const [limit, failures] = [limits.get(name), events[`${name}.max`]];
      return [
        name,
        { usage, ...(limit === undefined ? {} : { limit }), ...(failures === undefined ? {} : { failures }) },
      ];
    }),
  );
}
