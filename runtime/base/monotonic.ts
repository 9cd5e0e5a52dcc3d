/** Milliseconds of a clock that nobody sets. Unlike `performance.now()` it loads nothing. */
export function monotonicMs(): number {
  return process.uptime() * 1000;
}
