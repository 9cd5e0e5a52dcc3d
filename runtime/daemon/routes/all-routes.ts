import type { Engine } from '../../containers/engine.ts';
import type { ExecTable } from '../../containers/exec-table.ts';
import type { RouteTable } from '../router.ts';
import type { DaemonFacts } from './system.ts';

/** All that the daemon serves. A new file of routes is named here, below the first word of its paths. */
export function allRoutes(engine: Engine, execs: ExecTable, facts: DaemonFacts): RouteTable {
  const build = async () => (await import('./build.ts')).buildRoutes(engine);
  const containerFiles = async () => (await import('./container-files.ts')).containerFileRoutes(engine);
  const containers = async () => (await import('./containers.ts')).containerRoutes(engine, execs);
  const events = async () => (await import('./events.ts')).eventRoutes(engine);
  const exec = async () => (await import('./exec.ts')).execRoutes(engine, execs);
  const images = async () => (await import('./images.ts')).imageRoutes(engine);
  const imageWriting = async () => (await import('./image-writing.ts')).imageWritingRoutes(engine);
  const networks = async () => (await import('./networks.ts')).networkRoutes();
  const registry = async () => (await import('./registry.ts')).registryRoutes(engine);
  const resources = async () => (await import('./container-resources.ts')).containerResourceRoutes(engine);
  const streams = async () => (await import('./container-streams.ts')).containerStreamRoutes(engine);
  const system = async () => (await import('./system.ts')).systemRoutes(engine, facts);
  const usage = async () => (await import('./usage.ts')).usageRoutes(engine);
  const volumes = async () => (await import('./volumes.ts')).volumeRoutes(engine);
  const all =
    (...files: readonly (typeof system)[]) =>
    async () =>
      (await Promise.all(files.map((file) => file()))).flat();
  return new Map([
    ['_ping', system],
    ['version', system],
    ['info', system],
    ['events', events],
    ['containers', all(containers, streams, resources, containerFiles, exec, usage)],
    ['exec', exec],
    ['images', all(images, imageWriting, registry, usage)],
    ['auth', registry],
    ['distribution', registry],
    ['commit', imageWriting],
    ['build', build],
    ['system', usage],
    ['volumes', volumes],
    ['networks', networks],
  ]);
}
