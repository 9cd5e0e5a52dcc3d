import { HullError } from '../base/errors.ts';
import type { Container } from './container.ts';
import { cgroupOf, type Engine } from './engine.ts';
import { isSameProcess, sendSignal } from './processes.ts';
import { publishContainer } from './publish.ts';
import { isAlive, type RunningState } from './record.ts';
import { parseSignal } from './signals.ts';

/**
 * Sends a signal to the container's first process. After SIGKILL it has ended, too. Kinds: `conflict` (not running),
 * `invalid` (no such signal), `unavailable` (still there after SIGKILL).
 */
export async function killContainer(engine: Engine, container: Container, signal = 'SIGKILL'): Promise<void> {
  const number = parseSignal(signal);
  {
    using _ = await container.mutex.acquire();
    const run = requireAlive(container, 'kill');
    // As in Docker: whoever signals it by hand does not want it started again.
    await container.update({ stoppedByUser: true }, { evenIfFull: true });
    await signalRun(engine, container, run, number);
    publishContainer(engine, container, 'kill', { signal: String(number) });
  }
  if (number === sigkill) await killAndWait(engine, container);
}

/** Afterwards the run is over and its end recorded. */
export async function killAndWait(engine: Engine, container: Container): Promise<void> {
  const { killTimeoutMs } = engine.timing;
  const { state } = container;
  if (!isAlive(state)) return;
  try {
    // What shares the host's pid namespace outlives the first process: the whole cgroup is killed.
    const cgroup = cgroupOf(engine, container);
    if (await cgroup.exists()) await cgroup.kill(AbortSignal.timeout(killTimeoutMs));
    else if (await isSameProcess(state)) sendSignal(state.pid, sigkill);
    await untilOver(container, state, AbortSignal.timeout(killTimeoutMs));
  } catch (cause) {
    throw new HullError(
      `Cannot kill container ${container.name}: process ${state.pid} is still there ${killTimeoutMs / 1000} s after SIGKILL`,
      { kind: 'unavailable', cause },
    );
  }
}

/** Resolves when this run has ended and that is recorded, whatever came after it. */
export async function untilOver(container: Container, run: RunningState, signal: AbortSignal): Promise<void> {
  await container.until(
    ({ state, gone }) =>
      gone || !isAlive(state) || state.pid !== run.pid || state.startTicks !== run.startTicks,
    signal,
  );
}

/** One signal to the first process, if it is still the one that was started. */
export async function signalRun(
  engine: Engine,
  container: Container,
  run: RunningState,
  signal: number,
): Promise<void> {
  if (await isSameProcess(run)) sendSignal(run.pid, signal);
  // A frozen process acts on a signal only when thawed; SIGKILL and a stop have to get through.
  if (run.kind === 'paused' && signal === sigkill) await cgroupOf(engine, container).thaw();
}

export function requireAlive(container: Container, action: string): RunningState {
  if (container.gone) throw new HullError(`No such container: ${container.id}`, { kind: 'not-found' });
  if (isAlive(container.state)) return container.state;
  throw new HullError(
    `Cannot ${action} container ${container.name}: it is not running (${container.state.kind})`,
    { kind: 'conflict' },
  );
}

const sigkill = 9;
