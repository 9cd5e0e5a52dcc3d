import { join } from 'node:path';
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
import { debug, fail } from './messages.ts';
import { HelpWanted, parseOptions } from './options.ts';
import { runtimeFolder } from './privileges.ts';

type Command = (context: Context, args: readonly string[]) => Promise<number>;

const commands: Readonly<Record<string, Command>> = {
  checkpoint: async (_, args) => withoutCheckpoints('checkpoint', args),
  create: createCommand,
  delete: deleteCommand,
  events: eventsCommand,
  exec: execCommand,
  features: featuresCommand,
  kill: killCommand,
  list: listCommand,
  pause: pauseCommand,
  ps: psCommand,
  restore: async (_, args) => withoutCheckpoints('restore', args),
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
  'called-as': { takes: 'text' },
} as const;

/** One call of the OCI runtime command line; answers its exit status. */
export async function ociMain(args: readonly string[], caller: Caller = ownCaller): Promise<number> {
  let context: Context | undefined;
  let verb = '';
  let name = 'hull-oci';
  try {
    const { values, rest } = parseOptions(args, table, { stopAtWord: true });
    verb = rest[0] ?? '';
    name = values['called-as'] ?? name;
    if (!forOthers.has(verb) || values.version || values.help || values.debug)
      caller.needOwnProcess(`the verb ${verb}`);
    if (values.version) {
      const { versionText } = await import('./version.ts');
      caller.write(1, versionText(name));
      return 0;
    }
    if (values.help || verb === '' || verb === 'help') throw new HelpWanted(table);
    context = {
      caller,
      root: values.root === undefined ? join(runtimeFolder(), 'hull-oci') : caller.path(values.root),
      logFormat: values['log-format'] === 'json' ? 'json' : 'text',
      debug: values.debug,
      cgroups: cgroupsOf(values['cgroup-manager'], values['systemd-cgroup']),
      ...logFile(caller, values.log),
    };
    const command = commands[verb];
    if (!command)
      throw new HullError(
        `Cannot read the command line: No help topic for '${verb}', wanted one of ${Object.keys(commands).join(', ')}`,
        {
          kind: 'invalid',
        },
      );
    debug(context, `${verb}: containers in ${context.root}, cgroups ${context.cgroups}`);
    const status = await command(context, rest.slice(1));
    debug(context, `${verb}: exit status ${status}`);
    return status;
  } catch (error) {
    if (error instanceof OwnProcessNeeded) throw error;
    if (error instanceof HelpWanted) {
      const { helpText } = await import('./help.ts');
      caller.write(1, helpText(name, verb, error.table));
      return 0;
    }
    fail(context ?? { caller }, error);
    return verb === 'exec' ? 255 : 1;
  }
}

/** crun's option has a word for each way; of runc's and crun's flag the last word is systemd's. */
function cgroupsOf(manager: string | undefined, systemd: boolean): Context['cgroups'] {
  const wanted = systemd ? 'systemd' : (manager ?? 'cgroupfs');
  if (wanted === 'cgroupfs' || wanted === 'systemd' || wanted === 'disabled') return wanted;
  throw new HullError(
    `Cannot use --cgroup-manager ${JSON.stringify(wanted)}: wanted cgroupfs, systemd or disabled`,
    { kind: 'invalid' },
  );
}

/** crun takes `file:<path>` as well. */
function logFile(caller: Caller, log: string | undefined): { readonly log?: string } {
  return log === undefined || log === '' ? {} : { log: caller.path(log.replace(/^file:/, '')) };
}

/** Verbs of runc's that hull has not say so. */
function withoutCheckpoints(verb: string, args: readonly string[]): never {
  if (args.some((word) => word === '-h' || word === '--help')) throw new HelpWanted({});
  throw new HullError(`Cannot ${verb} a container: hull has no checkpoints`, { kind: 'unsupported' });
}
