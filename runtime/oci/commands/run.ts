import type { Context } from '../context.ts';
import { createContainer } from '../create-container.ts';
import { deleteContainer } from '../delete-container.ts';
import { oneId } from '../one-id.ts';
import { parseOptions } from '../options.ts';
import { startContainer } from '../start-container.ts';
import type { ForegroundWait } from '../wait-in-foreground.ts';
import { createTable, descriptorCount, pathOf } from './create.ts';

export async function runCommand(context: Context, args: readonly string[]): Promise<number> {
  const { values, rest } = parseOptions(args, {
    ...createTable,
    detach: { takes: 'nothing', short: 'd' },
    keep: { takes: 'nothing' },
    'no-subreaper': { takes: 'nothing' },
  });
  let waitFor: ForegroundWait | undefined;
  const { state, group } = await createContainer(context, {
    id: oneId(rest, 'run'),
    bundle: context.caller.path(values.bundle ?? '.'),
    config: values.config,
    pidFile: pathOf(context, values['pid-file']),
    consoleSocket: pathOf(context, values['console-socket']),
    preserveFds: descriptorCount(values['preserve-fds']),
    noPivot: values['no-pivot'],
    foreground: !values.detach,
    async meanwhile() {
      if (!values.detach) waitFor = await context.caller.standInForeground();
    },
  });
  const pid = state.init_process_pid;
  const ownsTerminal = state.config.process.terminal && values['console-socket'] === undefined;
  try {
    const master = ownsTerminal ? await openMaster(pid, descriptorCount(values['preserve-fds'])) : undefined;
    if (!waitFor) {
      await startContainer(context, state);
      return 0;
    }
    const ended = waitFor(pid, master);
    const [status] = await Promise.all([ended, startContainer(context, state, ended)]);
    if (!values.keep) await deleteContainer(context, state, { force: true, group });
    return status;
  } catch (error) {
    await deleteContainer(context, state, { force: true }).catch(() => {});
    throw error;
  }
}

async function openMaster(pid: number, preserved: number): Promise<number> {
  const terminal = await import('../foreground-terminal.ts');
  return terminal.openMaster(pid, 3 + preserved);
}
