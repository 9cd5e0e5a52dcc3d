/** A probe found unsupported what the scenario needs. The message names both. */
export class ScenarioSkip extends Error {
  override readonly name = 'ScenarioSkip';

  constructor({ missing, probed }: { readonly missing: string; readonly probed: string }) {
    super(`missing: ${missing} (probed: ${probed})`);
  }
}

/** A scenario's time is up; the message says what had been done. */
export class ScenarioTimeout extends Error {
  override readonly name = 'ScenarioTimeout';

  constructor(limitMs: number, steps: readonly { readonly name: string; readonly atMs: number }[]) {
    const done = steps.map(({ name, atMs }) => `${name} (at ${(atMs / 1000).toFixed(1)} s)`).join(', then ');
    super(`Cannot finish within ${limitMs / 1000} s. Steps: ${done}`);
  }
}

/** A wait of a scenario that did not come true. */
export class WaitTimeout extends Error {
  override readonly name = 'WaitTimeout';

  constructor(sentence: string, waitedMs: number, cause: unknown) {
    const last = cause instanceof Error ? `; the last look said: ${cause.message}` : '';
    super(`waited ${waitedMs / 1000} s for ${sentence}${last}`, cause === undefined ? undefined : { cause });
  }
}
