import { HullError } from '../base/errors.ts';

/** A query parameter as nanoseconds since 1970: Unix seconds with up to nine decimals, or RFC 3339. 0 means absent. */
export function parseTime(query: URLSearchParams, name: string): bigint | undefined {
  const text = query.get(name);
  if (text === null || text === '' || text === '0') return undefined;
  const unix = /^(\d+)(?:\.(\d{1,9}))?$/.exec(text);
  if (unix) return BigInt(unix[1] ?? 0) * 1_000_000_000n + BigInt((unix[2] ?? '').padEnd(9, '0'));
  const ms = Date.parse(text);
  if (!Number.isNaN(ms)) return BigInt(ms) * 1_000_000n;
  throw new HullError(
    `Cannot use query parameter ${name}: found ${JSON.stringify(text)}, wanted Unix seconds or an RFC 3339 time`,
    { kind: 'invalid' },
  );
}
