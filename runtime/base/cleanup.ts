import { joinErrors } from './errors.ts';

type Undo = () => unknown;

/**
 * A stack of undo steps. Push the undo before the step that needs it; the steps run in reverse when the
 * stack is disposed, unless `commit()` dropped them. One failing undo does not keep the others from running.
 *
 * @example
 * await using undo = new Cleanup();
 * undo.push(() => rm(dir, { recursive: true, force: true }));
 * await mkdir(dir);
 * await fill(dir);
 * undo.commit();
 */
export class Cleanup implements AsyncDisposable {
  #steps: Undo[] = [];

  push(undo: Undo): void {
    this.#steps.push(undo);
  }

  /** What was made is kept: nothing is undone any more. */
  commit(): void {
    this.#steps = [];
  }

  /** Runs every undo now, last pushed first; the errors come out together, the first in front. */
  async run(): Promise<void> {
    let failure: Error | undefined;
    for (let undo = this.#steps.pop(); undo; undo = this.#steps.pop()) {
      try {
        await undo();
      } catch (error) {
        failure = failure ? joinErrors(failure, error) : toError(error);
      }
    }
    if (failure) throw failure;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run();
  }
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
