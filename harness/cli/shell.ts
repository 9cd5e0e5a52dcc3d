import { randomBytes } from 'node:crypto';
import type { HostDefinition, HostProvider, RunningHost } from '../hosts/host.ts';
import { didYouMean } from '../matrix/did-you-mean.ts';
import { SelectionError } from '../matrix/plan.ts';
import { createRunFolder } from './run-folder.ts';

/** The host that `--shell <host>` names. Throws SelectionError with the known names. */
export function hostNamed(name: string, hosts: readonly HostDefinition[]): HostDefinition {
  const found = hosts.find((host) => host.name === name);
  if (found !== undefined) return found;
  const known = hosts.map((host) => host.name);
  throw new SelectionError(
    `Cannot open a shell on ${JSON.stringify(name)}: unknown, the known are ${known.join(', ')}.${didYouMean(name, known)}`,
  );
}

export interface ShellOnHost {
  readonly definition: HostDefinition;
  readonly provider: HostProvider;
  readonly cacheDir: string;
  readonly signal: AbortSignal;
  readonly progress: (message: string) => void;
}

/** A shell on a fresh clone of a host, which is gone when the shell ends. Answers the shell's exit status. */
export async function shellOnHost({ definition, provider, ...options }: ShellOnHost): Promise<number> {
  const { cacheDir, progress } = options;
  const runId = `shell-${randomBytes(4).toString('hex')}`;
  await using folder = await createRunFolder(cacheDir, runId);
  const context = { ...options, runDir: folder.path, runId };
  await provider.prepare(definition, context);
  await using host = await provider.start(definition, context);
  progress(`${host.name}, ${host.facts.kernel}: all of it is gone when the shell ends`);
  // Awaited here: the host is disposed with this block.
  return await openShell(host, options.signal);
}

/** On this process's own terminal. A connection that goes first is the host's trouble, and status 255 as with ssh. */
export async function openShell(host: RunningHost, signal: AbortSignal): Promise<number> {
  const { stdin, stdout, stderr } = process;
  return (await host.ssh.shell({ stdin, stdout, stderr }, signal)) ?? 255;
}
