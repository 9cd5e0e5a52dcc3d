import type { Context } from '../context.ts';
import { createContainer } from '../create-container.ts';
import { oneId } from '../one-id.ts';
import { parseOptions } from '../options.ts';

export const createTable = {
  bundle: { takes: 'text', short: 'b' },
  config: { takes: 'text', short: 'f' },
  'console-socket': { takes: 'text' },
  'pid-file': { takes: 'text' },
  'no-pivot': { takes: 'nothing' },
  'no-new-keyring': { takes: 'nothing' },
  'preserve-fds': { takes: 'text' },
} as const;

export async function createCommand(context: Context, args: readonly string[]): Promise<number> {
  const { values, rest } = parseOptions(args, createTable);
  await createContainer(context, {
    id: oneId(rest, 'create'),
    bundle: context.caller.path(values.bundle ?? '.'),
    config: values.config,
    pidFile: pathOf(context, values['pid-file']),
    consoleSocket: pathOf(context, values['console-socket']),
    preserveFds: descriptorCount(values['preserve-fds']),
    noPivot: values['no-pivot'],
    foreground: false,
  });
  return 0;
}

/** The caller's meaning of an option that may be absent. */
export function pathOf({ caller }: Context, word: string | undefined): string | undefined {
  return word === undefined ? undefined : caller.path(word);
}

/** `--preserve-fds`, and what socket activation hands on (sd_listen_fds(3)). */
export function descriptorCount(option: string | undefined): number {
  const listen = process.env.LISTEN_PID === String(process.pid) || process.env.LISTEN_PID === undefined;
  const passed = listen ? Number(process.env.LISTEN_FDS ?? 0) : 0;
  return Number(option ?? 0) + (Number.isInteger(passed) ? passed : 0);
}
