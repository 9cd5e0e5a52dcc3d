import { HullError } from '../base/errors.ts';
import type { LaunchedExec } from '../launch/types.ts';
import type { Container } from './container.ts';
import type { ExecConfig } from './exec-request.ts';

/** A command that was prepared to run inside a container. It lives in memory only: with the daemon it is gone. */
export interface ExecSession {
  readonly id: string;
  readonly container: Container;
  readonly config: ExecConfig;
  state:
    | { readonly kind: 'created' }
    | { readonly kind: 'running'; readonly pid: number }
    | { readonly kind: 'exited'; readonly pid: number; readonly exitCode: number };
  /** Resolves when it runs, or with nothing when it could not. */
  readonly started: PromiseWithResolvers<LaunchedExec | undefined>;
}

/** The daemon's exec sessions. One that has ended is kept for a while, so that its client can ask for the exit code. */
export class ExecTable {
  readonly #sessions = new Map<string, ExecSession>();

  add(session: ExecSession): void {
    this.#sessions.set(session.id, session);
  }

  get(id: string): ExecSession {
    const session = this.#sessions.get(id);
    if (session && !session.container.gone) return session;
    throw new HullError(`No such exec instance: ${id}`, { kind: 'not-found' });
  }

  of(container: Container): readonly ExecSession[] {
    return [...this.#sessions.values()].filter((session) => session.container === container);
  }

  forgetLater(session: ExecSession): void {
    setTimeout(() => this.#sessions.delete(session.id), keptMs).unref();
  }
}

const keptMs = 300_000;
