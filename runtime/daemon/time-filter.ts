import { HullError } from '../base/errors.ts';

/** The moment that `until` means: one as Docker writes it, or a time back from now as `24h` or `1h30m`. */
export function parseUntil(text: string): number {
  if (/^(\d+(\.\d+)?(h|m|s|ms))+$/.test(text)) {
    const factors: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };
    const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g)];
    return (
      Date.now() - parts.reduce((sum, [, count, unit]) => sum + Number(count) * (factors[unit ?? ''] ?? 0), 0)
    );
  }
  const moment = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text);
  if (Number.isFinite(moment)) return moment;
  throw new HullError(
    `Cannot filter by until: found ${JSON.stringify(text)}, wanted a time as 24h, 2026-01-31T12:00:00Z or seconds since 1970`,
    { kind: 'invalid' },
  );
}
