import type { DriverDefinition, HostDefinition } from '../hosts/host.ts';
import { DockerEngine } from './docker-engine.ts';
import type { Engine } from './engine.ts';
import { HullEngine } from './hull-engine.ts';

/** The engine of a name in hosts.yaml. `projectDir` is the checkout that hull is built from, `cacheDir` outlives runs. */
export function createEngine(name: string, projectDir: string, cacheDir: string): Engine {
  switch (name) {
    case 'hull':
      return new HullEngine(projectDir, cacheDir);
    case 'docker':
      return new DockerEngine();
    default:
      throw new Error(`Cannot use engine ${JSON.stringify(name)}: wanted hull or docker`);
  }
}

/** The host with what these engines and drivers need of it. */
export function equipped(
  host: HostDefinition,
  engines: readonly Engine[],
  drivers: readonly DriverDefinition[] = [],
): HostDefinition {
  const needs = engines.map((engine) => engine.needs);
  return {
    ...host,
    packages: [
      ...host.packages,
      ...needs.flatMap(({ packages }) => packages),
      ...drivers.flatMap(({ packages = [] }) => packages),
    ],
    kernelArgs: [...host.kernelArgs, ...needs.flatMap(({ kernelArgs }) => kernelArgs)],
  };
}
