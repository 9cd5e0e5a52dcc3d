const units: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Go's time.ParseDuration (`1m30s`, `0.5s`, `0`) in nanoseconds; undefined for other text. */
export function parseGoDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (
    !/^(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h)(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))*$/.test(
      text,
    )
  ) {
    return undefined;
  }
  let sum = 0;
  for (const [, amount, unit = ''] of text.matchAll(/([\d.]+)([a-zµ]+)/g)) {
    sum += Math.round(Number(amount) * (units[unit] ?? 0));
  }
  return Number.isSafeInteger(sum) ? sum : undefined;
}

/** Nanoseconds as Go's Duration prints them: `1m30s`, `1.5s`, `500ms`, `0s`. */
export function goDuration(time: number): string {
  if (time < 1e9) {
    if (time === 0) return '0s';
    if (time >= 1e6) return `${time / 1e6}ms`;
    return time >= 1e3 ? `${time / 1e3}µs` : `${time}ns`;
  }
  const hours = Math.floor(time / 3600e9);
  const minutes = Math.floor((time % 3600e9) / 60e9);
  const seconds = (time % 60e9) / 1e9;
  const parts = hours > 0 ? `${hours}h${minutes}m` : minutes > 0 ? `${minutes}m` : '';
  return `${parts}${seconds}s`;
}
