import { setTimeout as sleep } from 'node:timers/promises';
import { RegistryError } from './registry-error.ts';
import type { RegistryTiming } from './timing.ts';

export interface RetryOptions {
  readonly timing: RegistryTiming;
  readonly signal: AbortSignal;
  /** Hears of each wait before it begins. */
  readonly onRetry?: (waitMs: number, error: RegistryError) => void;
}

/**
 * Tries again what was `unavailable`, with a growing wait, at most `attempts` times in a row. `progressed` says whether the failed try
 * brought something: the counting then starts anew, since a resumed transfer that advances will end.
 */
export async function retrying<T>(
  work: () => Promise<T>,
  { timing, signal, onRetry }: RetryOptions,
  progressed: () => boolean = () => false,
): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof RegistryError) || error.kind !== 'unavailable') throw error;
      if (progressed()) failures = 1;
      if (failures >= timing.attempts) throw error;
      const grown = timing.retryFirstMs * 2 ** (failures - 1);
      const waitMs = Math.min(Math.max(grown, error.retryAfterMs ?? 0), timing.retryMaxMs);
      onRetry?.(waitMs, error);
      await sleep(waitMs, undefined, { signal });
    }
  }
}
