import { readFileSync } from 'node:fs';
import { HullError } from '../../base/errors.ts';
import type { Process, Spec } from '../../base/oci.ts';
import { execEntry } from '../../cgroups/exec-entry.ts';
import type { DetachedExecRequest } from '../../launch/compile-detached-exec.ts';
import { sharedNamespaces } from '../../launch/exec-steps.ts';
import { execDetached } from '../../launch/launch-detached-exec.ts';
import type { Context } from '../context.ts';
import { writePidFile } from '../create-container.ts';
import { withGrantable } from '../grantable.ts';
import { groupOf } from '../groups.ts';
import { withHome } from '../home.ts';
import { debug, warn } from '../messages.ts';
import { parseOptions } from '../options.ts';
import { isPrivileged } from '../privileges.ts';
import { checkProcess, parseJson } from '../read-bundle.ts';
import { handOverListener, needOwnProcessForListener } from '../seccomp-agent.ts';
import { readState } from '../state-store.ts';
import { stateView, statusOf } from '../status.ts';
import { subgroupEntry } from '../subgroup.ts';
import { withOwnOomScore } from '../within-reach.ts';
import { descriptorCount, pathOf } from './create.ts';

const table = {
  'console-socket': { takes: 'text' },
  cwd: { takes: 'text' },
  env: { takes: 'list', short: 'e' },
  tty: { takes: 'nothing', short: 't' },
  user: { takes: 'text', short: 'u' },
  'additional-gids': { takes: 'list', short: 'g' },
  process: { takes: 'text', short: 'p' },
  detach: { takes: 'nothing', short: 'd' },
  'pid-file': { takes: 'text' },
  'process-label': { takes: 'text' },
  apparmor: { takes: 'text' },
  'no-new-privs': { takes: 'nothing' },
  cap: { takes: 'list', short: 'c' },
  'preserve-fds': { takes: 'text' },
  cgroup: { takes: 'list' },
  'ignore-paused': { takes: 'nothing' },
  'no-subreaper': { takes: 'nothing' },
} as const;

type Values = ReturnType<typeof parseOptions<typeof table>>['values'];

export async function execCommand(context: Context, args: readonly string[]): Promise<number> {
  const { values, rest } = parseOptions(args, table, { stopAtWord: true });
  const [id, ...command] = rest;
  if (id === undefined || (command.length === 0 && values.process === undefined))
    throw new HullError('Cannot read the command line: wanted "exec <id> <command> …" or --process <file>', {
      kind: 'invalid',
    });
  const state = readState(context.root, id);
  const status = await statusOf(context.root, state);
  if (status === 'stopped') throw new HullError('cannot exec in a stopped container', { kind: 'conflict' });
  if (status === 'paused' && !values['ignore-paused'])
    throw new HullError('cannot exec in a paused container (use --ignore-paused to override)', {
      kind: 'conflict',
    });
  const file = pathOf(context, values.process);
  const passOver = (text: string) => warn(context, text);
  const asked = withLabels(processOf(state.config, { ...values, process: file }, command), values);
  const wanted = withOwnOomScore(asked, passOver);
  const granted = withGrantable(wanted, state.config.linux.namespaces, passOver);
  const process = await withHome(granted, `/proc/${state.init_process_pid}/root`);
  const consoleSocket = pathOf(context, values['console-socket']);
  if (process.terminal && consoleSocket === undefined) context.caller.needOwnProcess('a terminal of its own');
  if (process.terminal && values.detach && consoleSocket === undefined)
    throw new HullError('cannot allocate tty if runc will detach without setting console socket', {
      kind: 'invalid',
    });
  const entry = (await groupOf(state))?.entry ?? { v1Procs: [] };
  const { seccomp } = state.config.linux;
  needOwnProcessForListener(context, seccomp);
  const request: DetachedExecRequest = {
    target: { pid: state.init_process_pid, startTicks: String(state.init_process_start) },
    cgroup: {
      ...(values.cgroup.length > 0
        ? await subgroupEntry(entry, values.cgroup)
        : execEntry(entry, state.init_process_pid)),
      ...(state.intel_rdt ? { resctrl: state.intel_rdt.tasks } : {}),
    },
    process,
    preservedDescriptors: descriptorCount(values['preserve-fds']),
    ...(seccomp ? { seccomp } : {}),
    ...(isPrivileged() ? {} : { shared: sharedNamespaces(state.init_process_pid) }),
    ...(consoleSocket === undefined ? {} : { consoleSocket }),
  };
  const { pid, master } = await execDetached(
    request,
    context.caller.hands,
    async (first, descriptor) =>
      await handOverListener(context, seccomp, {
        pid: first,
        descriptor,
        state: stateView(state, status),
      }),
  );
  debug(context, `container ${id}: process ${pid} in its namespaces has become the command`);
  const pidFile = pathOf(context, values['pid-file']);
  if (pidFile !== undefined) writePidFile(pidFile, pid);
  if (values.detach) return 0;
  const waitFor = await context.caller.standInForeground();
  return await waitFor(pid, master);
}

function withLabels(wanted: Process, values: Values): Process {
  const { apparmor, 'process-label': label } = values;
  return {
    ...wanted,
    ...(apparmor ? { apparmorProfile: apparmor } : {}),
    ...(label ? { selinuxLabel: label } : {}),
  };
}

/** The process of a file, or the container's own with another command and what the options change. */
function processOf(spec: Spec, values: Values, command: readonly string[]): Process {
  if (values.process !== undefined)
    return checkProcess(parseJson(readFileSync(values.process, 'utf8'), values.process), values.process);
  const own = spec.process;
  const { oomScoreAdj: _, ...base } = own;
  const [uid, gid] = (values.user ?? '').split(':');
  const gids = values['additional-gids'].map((word) => wholeNumber(word, '--additional-gids'));
  return {
    ...base,
    args: command,
    terminal: values.tty,
    cwd: values.cwd ?? own.cwd,
    env: replaced(own.env ?? [], values.env),
    user: {
      ...own.user,
      ...(uid ? { uid: wholeNumber(uid, '--user') } : {}),
      ...(gid ? { gid: wholeNumber(gid, '--user') } : {}),
      additionalGids: [...(own.user.additionalGids ?? []), ...gids],
    },
    noNewPrivileges: values['no-new-privs'] || (own.noNewPrivileges ?? false),
    ...(values.cap.length === 0 ? {} : { capabilities: withCapabilities(own, values.cap) }),
  };
}

/** A later entry replaces an earlier one of its name: programs read the first. */
function replaced(env: readonly string[], more: readonly string[]): readonly string[] {
  return [...new Map([...env, ...more].map((entry) => [entry.split('=', 1)[0], entry])).values()];
}

function withCapabilities(own: Process, names: readonly string[]): NonNullable<Process['capabilities']> {
  const add = (list: readonly string[] | undefined) => [...new Set([...(list ?? []), ...names])];
  const { bounding, effective, permitted, inheritable, ambient } = own.capabilities ?? {};
  return {
    bounding: add(bounding),
    effective: add(effective),
    permitted: add(permitted),
    ...(inheritable ? { inheritable: add(inheritable) } : {}),
    ...(ambient ? { ambient: add(ambient) } : {}),
  };
}

function wholeNumber(word: string, option: string): number {
  const number = Number(word);
  if (Number.isInteger(number) && number >= 0 && word !== '') return number;
  throw new HullError(`Cannot use ${option} ${JSON.stringify(word)}: wanted a number`, { kind: 'invalid' });
}
