/**
 * A small process that starts programs and measures them, so that all command lines are started by an equal parent: the bench
 * itself has more memory to copy, and some references need a mount namespace of their own.
 */
import { spawn } from 'node:child_process';
import { performance } from 'node:perf_hooks';

export interface SpawnRequest {
  readonly id: number;
  /** Started together. */
  readonly commands: readonly (readonly string[])[];
}

export interface SpawnAnswer {
  readonly id: number;
  /** From before the first start until the last exit. */
  readonly ms: number;
  /** What the first command that did not exit with 0 said. */
  readonly trouble?: string;
}

process.on('message', async ({ id, commands }: SpawnRequest) => {
  const start = performance.now();
  const troubles = await Promise.all(commands.map(run));
  const ms = performance.now() - start;
  const trouble = troubles.find((text) => text !== undefined);
  process.send?.({ id, ms, ...(trouble === undefined ? {} : { trouble }) } satisfies SpawnAnswer);
});
process.on('disconnect', () => process.exit());

function run(command: readonly string[]): Promise<string | undefined> {
  const [program = '', ...args] = command;
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk).slice(-4096);
    });
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => {
      if (code === 0) return resolve(undefined);
      // What it said last may still be on its way.
      setTimeout(() => resolve(`status ${code ?? signal}: ${said.trim() || 'no word'}`), 20);
    });
  });
}
