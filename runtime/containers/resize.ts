import { HullError } from '../base/errors.ts';
import { resizeContainer as tellMonitor } from '../launch/stdin.ts';
import type { WindowSize } from '../launch/window-size.ts';
import type { Container } from './container.ts';
import { type Engine, runDirOf } from './engine.ts';
import type { ExecSession } from './exec-table.ts';
import { requireAlive } from './kill.ts';
import { publishContainer } from './publish.ts';

/** Sets the size of its terminal; without one nothing happens. Kind `conflict`: it does not run. */
export async function resizeContainer(engine: Engine, container: Container, size: WindowSize): Promise<void> {
  requireAlive(container, 'resize the terminal of');
  if (container.record.config.Tty) await tellMonitor(runDirOf(engine, container.id), size);
  publishContainer(engine, container, 'resize', {
    height: String(size.height),
    width: String(size.width),
  });
}

/** The same of a command. A client asks as soon as it has asked for the start, so that is waited for. */
export async function resizeExec(session: ExecSession, size: WindowSize): Promise<void> {
  const late = AbortSignal.timeout(startMs);
  const { promise: timeout, reject } = Promise.withResolvers<never>();
  late.addEventListener('abort', () =>
    reject(
      new HullError(`Cannot resize the terminal of exec ${session.id}: it has not been started`, {
        kind: 'conflict',
      }),
    ),
  );
  const launched = await Promise.race([session.started.promise, timeout]);
  launched?.resize?.(size);
}

const startMs = 10_000;
