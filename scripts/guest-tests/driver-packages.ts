import type { DriverDefinition, HostDefinition } from '../../harness/hosts/host.ts';

export function driversOf({ engines }: HostDefinition): readonly DriverDefinition[] {
  return engines.flatMap(({ drivers }) => drivers);
}

/** What the host needs besides for these storage drivers; of one that it does not have, nothing. */
export function packagesFor(host: HostDefinition, drivers: readonly string[]): readonly string[] {
  return driversOf(host).flatMap(({ name, packages = [] }) => (drivers.includes(name) ? packages : []));
}
