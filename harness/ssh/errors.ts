import { quote } from './quote.ts';
import type { SshAddress, SshResult } from './ssh.ts';

/** No connection, or it was lost. */
export class SshConnectionError extends Error {
  override readonly name = 'SshConnectionError';

  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
  }
}

/** A command ended with a status other than 0, by a signal or by its time-out; the whole result is in it. */
export class SshCommandError extends Error {
  override readonly name = 'SshCommandError';
  readonly result: SshResult;

  constructor(result: SshResult) {
    super(`Cannot run ${shorten(quote(result.argv))}: ${ending(result)}${lastWords(result)}`);
    this.result = result;
  }
}

export function describeAddress({ username, host, port }: SshAddress): string {
  return `${username}@${host}:${port}`;
}

function ending({ timedOut, signal, exitCode, durationMs }: SshResult): string {
  if (timedOut) return `killed after ${(durationMs / 1000).toFixed(1)} s`;
  if (signal) return `ended by ${signal}`;
  return `exit status ${exitCode ?? 'unknown'}, wanted 0`;
}

function lastWords({ stderr, stdout }: SshResult): string {
  const words = (stderr.trim() || stdout.trim()).slice(-2000);
  return words ? `: ${words}` : '';
}

function shorten(command: string): string {
  return command.length > 300 ? `${command.slice(0, 300)}…` : command;
}
