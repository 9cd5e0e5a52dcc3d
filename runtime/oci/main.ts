import { HullError } from '../base/errors.ts';
import { type Caller, OwnProcessNeeded, ownCaller } from './caller.ts';
import { createCommand } from './commands/create.ts';
import { deleteCommand } from './commands/delete.ts';
import { eventsCommand } from './commands/events.ts';
import { execCommand } from './commands/exec.ts';
import { featuresCommand } from './commands/features.ts';
import { killCommand } from './commands/kill.ts';
import { listCommand } from './commands/list.ts';
import { pauseCommand, resumeCommand } from './commands/pause.ts';
import { psCommand } from './commands/ps.ts';
import { runCommand } from './commands/run.ts';
import { specCommand } from './commands/spec.ts';
import { startCommand } from './commands/start.ts';
import { stateCommand } from './commands/state.ts';
import { updateCommand } from './commands/update.ts';
import type { Context } from './context.ts';
import { fail } from './messages.ts';
import { parseOptions } from './options.ts';

type Command = (context: Context, args: readonly string[]) => Promise<number>;

const commands: Readonly<Record<string, Command>> = {
  create: createCommand,
  delete: deleteCommand,
  events: eventsCommand,
  exec: execCommand,
  features: featuresCommand,
  kill: killCommand,
  list: listCommand,
  pause: pauseCommand,
  ps: psCommand,
  resume: resumeCommand,
  run: runCommand,
  spec: specCommand,
  start: startCommand,
  state: stateCommand,
  update: updateCommand,
};

/** What a resident process does for others: the life of a container. The rest is rare, or prints at length. */
const forOthers = new Set(['create', 'delete', 'exec', 'kill', 'pause', 'resume', 'run', 'start', 'state']);

const table = {
  root: { takes: 'text' },
  log: { takes: 'text' },
  'log-format': { takes: 'text' },
  'log-level': { takes: 'text' },
  debug: { takes: 'nothing' },
  'systemd-cgroup': { takes: 'nothing' },
  'cgroup-manager': { takes: 'text' },
  rootless: { takes: 'text' },
  criu: { takes: 'text' },
  version: { takes: 'nothing', short: 'v' },
  help: { takes: 'nothing', short: 'h' },
} as const;

/** One call of the OCI runtime command line; answers its exit status. */
export async function ociMain(args: readonly string[], caller: Caller = ownCaller): Promise<number> {
  let context: Context | undefined;
  let verb = '';
  try {
    const { values, rest } = parseOptions(args, table, { stopAtWord: true });
    verb = rest[0] ?? '';
    if (!forOthers.has(verb) || values.version || values.help) caller.needOwnProcess(`the verb ${verb}`);
    if (values.version) {
      caller.write(1, 'hull-oci version 0.1.0\nspec: 1.2.0\n');
      return 0;
    }
    if (values.help || verb === '' || verb === 'help') {
      caller.write(1, `${usage}\n`);
      return 0;
    }
    context = {
      caller,
      root: values.root === undefined ? defaultRoot() : caller.path(values.root),
      logFormat: values['log-format'] === 'json' ? 'json' : 'text',
      debug: values.debug,
      cgroups: values['cgroup-manager'] === 'disabled' ? 'disabled' : 'cgroupfs',
      ...logFile(caller, values.log),
    };
    if (values['systemd-cgroup'] || values['cgroup-manager'] === 'systemd')
      throw new HullError(
        'Cannot use systemd for cgroups: hull makes them by itself, wanted no --systemd-cgroup',
        {
          kind: 'unsupported',
        },
      );
    const command = commands[verb];
    if (!command)
      throw new HullError(
        `Cannot read the command line: No help topic for '${verb}', wanted one of ${Object.keys(commands).join(', ')}`,
        {
          kind: 'invalid',
        },
      );
    return await command(context, rest.slice(1));
  } catch (error) {
    if (error instanceof OwnProcessNeeded) throw error;
    fail(context ?? { caller }, error);
    return verb === 'exec' ? 255 : 1;
  }
}

const usage = `usage: hull oci [--root <folder>] [--log <file>] [--log-format text|json] <command> …

An OCI runtime (specification 1.2): ${Object.keys(commands).join(', ')}.`;

function defaultRoot(): string {
  const runtime = process.env.XDG_RUNTIME_DIR;
  return process.getuid?.() !== 0 && runtime ? `${runtime}/hull-oci` : '/run/hull-oci';
}

/** crun takes `file:<path>` as well. */
function logFile(caller: Caller, log: string | undefined): { readonly log?: string } {
  return log === undefined || log === '' ? {} : { log: caller.path(log.replace(/^file:/, '')) };
}
