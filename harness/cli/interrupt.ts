import { constants } from 'node:os';

export interface Interrupt extends Disposable {
  /** Aborted by the first SIGINT, SIGTERM or SIGHUP. */
  readonly signal: AbortSignal;
  /** 128 + the signal's number, once there was one. */
  readonly exitStatus: number | undefined;
}

/** The first Ctrl-C ends everything cleanly, the second at once. */
export function interruptSignal(): Interrupt {
  const controller = new AbortController();
  let exitStatus: number | undefined;
  const onSignal = (name: NodeJS.Signals) => {
    const status = 128 + constants.signals[name];
    if (exitStatus !== undefined) process.exit(status);
    exitStatus = status;
    process.stderr.write(`\n${name}: ending the hosts and writing what is known; once more ends at once\n`);
    controller.abort(new Error(`interrupted by ${name}`));
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of signals) process.on(name, onSignal);
  return {
    signal: controller.signal,
    get exitStatus() {
      return exitStatus;
    },
    [Symbol.dispose]: () => {
      for (const name of signals) process.off(name, onSignal);
    },
  };
}
