import { HullError } from '../base/errors.ts';

/** Kind `invalid` naming the key, the value found and the keys wanted. */
export function rejectUnknownOptions(
  driver: string,
  options: ReadonlyMap<string, string>,
  known: readonly string[],
): void {
  for (const [key, value] of options) {
    if (known.includes(key)) continue;
    const wanted = known.length === 0 ? 'it has none' : `it has ${known.join(', ')}`;
    throw new HullError(
      `Cannot use storage option ${JSON.stringify(`${key}=${value}`)}: driver ${driver} has no option ${JSON.stringify(key)}; ${wanted}`,
      { kind: 'invalid' },
    );
  }
}

/** `128`, `64K`, `10G`, `1.5TB` in bytes (units of 1024). */
export function parseSize(key: string, value: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?$/i.exec(value.trim());
  if (!match) throw invalidOption(key, value, 'a size such as 512M, 10G or a number of bytes');
  const unit = ['', 'K', 'M', 'G', 'T'].indexOf((match[2] ?? '').toUpperCase());
  return Math.round(Number(match[1]) * 1024 ** unit);
}

/** `10%` → 0.1. */
export function parsePercent(key: string, value: string): number {
  const match = /^(\d{1,2})%$/.exec(value.trim());
  if (!match) throw invalidOption(key, value, 'a percentage from 0% to 99%');
  return Number(match[1]) / 100;
}

export function parseBoolean(key: string, value: string): boolean {
  if (value === 'true' || value === '1') return true;
  if (value === 'false' || value === '0') return false;
  throw invalidOption(key, value, 'true or false');
}

export function invalidOption(key: string, value: string, wanted: string): HullError {
  return new HullError(
    `Cannot use storage option ${JSON.stringify(key)}: found ${JSON.stringify(value)}, wanted ${wanted}`,
    { kind: 'invalid' },
  );
}

/** 10737418240 → `10.74 GB`, as `docker info` writes sizes (units of 1000). */
export function sizeText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${Number(value.toPrecision(4))} ${units[unit]}`;
}
