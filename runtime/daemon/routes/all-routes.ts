import type { Engine } from '../../containers/engine.ts';
import type { ExecTable } from '../../containers/exec.ts';
import type { Route } from '../router.ts';
import { buildRoutes } from './build.ts';
import { containerFileRoutes } from './container-files.ts';
import { containerResourceRoutes } from './container-resources.ts';
import { containerStreamRoutes } from './container-streams.ts';
import { containerRoutes } from './containers.ts';
import { eventRoutes } from './events.ts';
import { execRoutes } from './exec.ts';
import { imageWritingRoutes } from './image-writing.ts';
import { imageRoutes } from './images.ts';
import { networkRoutes } from './networks.ts';
import { registryRoutes } from './registry.ts';
import { type DaemonFacts, systemRoutes } from './system.ts';
import { usageRoutes } from './usage.ts';
import { volumeRoutes } from './volumes.ts';

export function allRoutes(engine: Engine, execs: ExecTable, facts: DaemonFacts): readonly Route[] {
  return [
    ...systemRoutes(engine, facts),
    ...eventRoutes(engine),
    ...imageRoutes(engine),
    ...registryRoutes(engine),
    ...imageWritingRoutes(engine),
    ...buildRoutes(engine),
    ...usageRoutes(engine),
    ...volumeRoutes(engine),
    ...networkRoutes(),
    ...containerFileRoutes(engine),
    ...containerRoutes(engine, execs),
    ...containerStreamRoutes(engine),
    ...containerResourceRoutes(engine),
    ...execRoutes(engine, execs),
  ];
}
