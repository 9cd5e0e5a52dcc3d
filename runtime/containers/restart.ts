import { HullError } from '../base/errors.ts';
import type { Container } from './container.ts';
import type { Engine } from './engine.ts';
import { publishContainer } from './publish.ts';
import { startContainer } from './start.ts';
import { type StopOptions, stopContainer } from './stop.ts';

/** Stops it where it runs, then starts it. One that removes itself stays, as in Docker. */
export async function restartContainer(
  engine: Engine,
  container: Container,
  options: StopOptions,
): Promise<void> {
  container.staysForRestart = true;
  try {
    await stopContainer(engine, container, options);
  } catch (error) {
    if (!(error instanceof HullError && error.kind === 'not-modified')) throw error;
  } finally {
    container.staysForRestart = false;
  }
  await startContainer(engine, container);
  publishContainer(engine, container, 'restart');
}
