import { HullError } from '../base/errors.ts';
import type { Container } from './container.ts';
import { cgroupOf, type Engine } from './engine.ts';
import { killAndWait, signalRun, untilOver } from './kill.ts';
import { publishContainer } from './publish.ts';
import { isAlive, type RunningState } from './record.ts';
import { parseSignal } from './signals.ts';

export interface StopOptions {
  /** Seconds between the stop signal and SIGKILL; negative waits as long as it takes. */
  readonly seconds?: number | undefined;
  readonly signal?: string | undefined;
  /** The daemon ends, nobody asked: a restart policy starts it again with the next daemon. */
  readonly forShutdown?: boolean;
}

/** Afterwards the container has ended, and that is recorded. Kind `not-modified` where it did not run. */
export async function stopContainer(
  engine: Engine,
  container: Container,
  options: StopOptions = {},
): Promise<void> {
  const { config } = container.record;
  const signal = parseSignal(options.signal || config.StopSignal || 'SIGTERM');
  const seconds = options.seconds ?? config.StopTimeout ?? engine.timing.stopGraceMs / 1000;
  const run = await beginStop(engine, container, signal, options.forShutdown !== true);
  if (!run) return;
  const grace = seconds < 0 ? engine.signal : AbortSignal.timeout(Math.min(seconds * 1000, longestTimer));
  try {
    await untilOver(container, run, grace);
  } catch (error) {
    if (!grace.aborted) throw error;
    publishContainer(engine, container, 'kill', { signal: '9' });
    await killAndWait(engine, container);
  }
  publishContainer(engine, container, 'stop');
}

/** Signals the run. A container between two automatic starts is simply not started again. */
async function beginStop(
  engine: Engine,
  container: Container,
  signal: number,
  byUser: boolean,
): Promise<RunningState | undefined> {
  using _ = await container.mutex.acquire();
  if (container.gone) throw new HullError(`No such container: ${container.id}`, { kind: 'not-found' });
  const { state } = container;
  if (state.kind === 'restarting') {
    const { attempt, ...run } = state;
    await container.update(
      { stoppedByUser: byUser, state: { ...run, kind: 'exited' } },
      { evenIfFull: true },
    );
    publishContainer(engine, container, 'stop');
    return undefined;
  }
  if (!isAlive(state)) {
    throw new HullError(`Container ${container.name} is already stopped`, { kind: 'not-modified' });
  }
  await container.update({ stoppedByUser: byUser }, { evenIfFull: true });
  await signalRun(engine, container, state, signal);
  if (state.kind === 'paused') await cgroupOf(engine, container).thaw();
  publishContainer(engine, container, 'kill', { signal: String(signal) });
  return state;
}

/** Milliseconds; Node takes longer ones for 1. */
const longestTimer = 2 ** 31 - 1;
