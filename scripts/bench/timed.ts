import { performance } from 'node:perf_hooks';

/** Milliseconds until the work is done. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** What is measured, with its end. */
export function ready(sample: () => Promise<number>, end: () => Promise<void> = async () => undefined) {
  return { sample, [Symbol.asyncDispose]: end };
}
