import type { Container } from './container.ts';
import { type ContainerState, isAlive, lastRun } from './record.ts';

export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

export interface WaitOutcome {
  readonly exitCode: number;
  /** What else went wrong, '' for nothing. */
  readonly error: string;
}

/** Resolves when the condition holds; `not-running` may hold at once. Aborts with the signal's reason. */
export async function waitForContainer(
  container: Container,
  condition: WaitCondition,
  signal: AbortSignal,
): Promise<WaitOutcome> {
  const { ends } = container;
  switch (condition) {
    case 'not-running':
      await container.until(({ state, gone }) => gone || !isBusy(state), signal);
      break;
    case 'next-exit':
      await container.until((now) => now.gone || now.ends > ends, signal);
      break;
    case 'removed':
      await container.until(({ gone }) => gone, signal);
      break;
    default:
      condition satisfies never;
  }
  const { state, record } = container;
  const created = state.kind === 'created' ? state.exitCode : 0;
  return { exitCode: lastRun(state)?.exitCode ?? created, error: record.error };
}

function isBusy(state: ContainerState): boolean {
  return isAlive(state) || state.kind === 'starting' || state.kind === 'restarting';
}
