import { HullError } from '../base/errors.ts';
import type { ImageConfigChanges } from '../images/image-store.ts';
import type { CreateRequest } from './create-request.ts';
import type { ContainerConfig } from './record.ts';

/**
 * What the client asked for on top of what the image says, as Docker merges them: an own entrypoint drops the image's
 * command, an empty one (`[""]`) drops the image's entrypoint; environment and labels are merged by name.
 */
export function mergeConfig(request: CreateRequest, image: ImageConfigChanges | undefined): ContainerConfig {
  const { Cmd, Entrypoint, ...rest } = request;
  const ownEntrypoint = Entrypoint !== undefined && Entrypoint.length > 0;
  const entrypoint = ownEntrypoint
    ? Entrypoint.filter((word, at) => at > 0 || word !== '')
    : image?.Entrypoint;
  const command = Cmd !== undefined && Cmd.length > 0 ? Cmd : ownEntrypoint ? undefined : image?.Cmd;
  if ((entrypoint?.length ?? 0) + (command?.length ?? 0) === 0) {
    throw new HullError(
      `Cannot create a container: no command specified, found none in Cmd and Entrypoint nor in the image ${JSON.stringify(request.Image)}`,
      { kind: 'invalid' },
    );
  }
  return {
    ...rest,
    ...(command ? { Cmd: command } : {}),
    ...(entrypoint ? { Entrypoint: entrypoint } : {}),
    User: request.User || (image?.User ?? ''),
    Env: mergeEnvironment(image?.Env ?? [], request.Env),
    WorkingDir: request.WorkingDir || (image?.WorkingDir ?? ''),
    Labels: { ...image?.Labels, ...request.Labels },
    StopSignal: request.StopSignal || (image?.StopSignal ?? ''),
    ExposedPorts: [...new Set([...Object.keys(image?.ExposedPorts ?? {}), ...request.ExposedPorts])],
    Volumes: [...new Set([...Object.keys(image?.Volumes ?? {}), ...request.Volumes])],
  };
}

/** Later ones win by name; a name without `=` unsets it. */
export function mergeEnvironment(...lists: readonly (readonly string[])[]): string[] {
  const byName = new Map<string, string>();
  for (const entry of lists.flat()) {
    const [name = ''] = entry.split('=', 1);
    if (entry.includes('=')) byName.set(name, entry);
    else byName.delete(name);
  }
  return [...byName.values()];
}
