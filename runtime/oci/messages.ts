import { appendFileSync } from 'node:fs';
import { LaunchError } from '../launch/launch-error.ts';
import type { Context } from './context.ts';

/** A command line that cannot be read has no more than its caller. */
type MessageContext = Pick<Context, 'caller'> & Partial<Context>;

/** To the log file as callers parse it (logrus' formats), and for people to stderr. */
export function fail(context: MessageContext, error: unknown): void {
  write(context, 'error', textOf(error));
}

export function warn(context: Context, error: unknown): void {
  write(context, 'warning', textOf(error));
}

/** What we do, where `--debug` asks for it: to the log file, or without one to stderr. */
export function debug(context: Context, msg: string): void {
  if (!context.debug) return;
  const line = logLine(context, 'debug', msg);
  if (context.log === undefined) context.caller.write(2, line);
  else appendFileSync(context.log, line);
}

function write(context: MessageContext, level: 'error' | 'warning', msg: string): void {
  if (context.log !== undefined) appendFileSync(context.log, logLine(context, level, msg));
  const onlyJson = context.logFormat === 'json' && context.log === undefined;
  context.caller.write(2, onlyJson ? logLine(context, level, msg) : `hull oci: ${msg}\n`);
}

function logLine({ logFormat }: MessageContext, level: 'error' | 'warning' | 'debug', msg: string): string {
  const time = new Date().toISOString();
  return logFormat === 'json'
    ? `${JSON.stringify({ level, msg, time })}\n`
    : `time=${JSON.stringify(time)} level=${level} msg=${JSON.stringify(msg)}\n`;
}

/** Callers look for the words that runc has for a command that is not there. */
function textOf(error: unknown): string {
  if (error instanceof LaunchError) {
    const hook = /^run (\w+) hook #(\d+) /.exec(error.step.what);
    if (hook)
      return `error running hook: error running ${hook[1]} hook #${Number(hook[2]) - 1}: ${error.message}`;
    const command = /^run (".*")$/.exec(error.step.what);
    if (command && error.exitCode === 127)
      return `exec: ${command[1]}: executable file not found in $PATH: no such file or directory: ${error.message}`;
    if (command && error.exitCode === 126) return `exec: ${command[1]}: permission denied: ${error.message}`;
    return error.message;
  }
  if (error instanceof AggregateError) return error.errors.map(textOf).join('; ');
  if (error instanceof SuppressedError) return `${textOf(error.suppressed)}; ${textOf(error.error)}`;
  return error instanceof Error ? error.message : String(error);
}
