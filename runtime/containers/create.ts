import { mkdir } from 'node:fs/promises';
import { Cleanup } from '../base/cleanup.ts';
import { HullError } from '../base/errors.ts';
import type { CgroupFeatures } from '../cgroups/cgroup.ts';
import { Container } from './container.ts';
import type { ContainerTable } from './container-table.ts';
import type { Engine } from './engine.ts';
import { cgroupPathOf } from './engine.ts';
import { chooseModes } from './host-modes.ts';
import { limitWarnings } from './limits.ts';
import { mergeConfig } from './merge-config.ts';
import { checkName, newContainerId, proposeName } from './names.ts';
import { publishContainer } from './publish.ts';
import type { ContainerConfig, ContainerRecord } from './record.ts';
import { noDevices } from './requested-devices.ts';
import { parseSignal } from './signals.ts';
import { makeSpec } from './spec.ts';
import { bindSources } from './spec-mounts.ts';
import { layerSize } from './storage-options.ts';

export interface Created {
  readonly id: string;
  readonly warnings: readonly string[];
}

/**
 * Afterwards the container exists and is not started; or, on an error, nothing of it does. Kinds: `not-found` (image),
 * `conflict` (name), `invalid` and `unsupported` (a field of the body, named).
 */
export async function createContainer(
  engine: Engine,
  body: unknown,
  wantedName: string | undefined,
): Promise<Created> {
  // Validation brings a library that nothing else at start-up needs.
  const { parseCreateRequest } = await import('./create-request.ts');
  const request = parseCreateRequest(body);
  const image = await engine.images.get(request.Image);
  const config = mergeConfig(request, image.config.config);
  const id = newContainerId();
  const features = await engine.cgroups.features();
  checkConfig(engine, id, config, features);
  const warnings = [
    ...chooseModes(config.HostConfig, engine.cgroups.mode).warnings,
    ...limitWarnings(config.HostConfig, features),
  ];

  await using undo = new Cleanup();
  const name = wantedName ? checkName(wantedName) : freeName(engine.containers);
  undo.push(engine.containers.reserveName(name, id));
  const record: ContainerRecord = {
    format: 1,
    id,
    name,
    driver: engine.driver.name,
    createdAt: new Date().toISOString(),
    image: { reference: request.Image, id: image.id },
    config,
    state: { kind: 'creating' },
    stoppedByUser: false,
    restartCount: 0,
    error: '',
  };
  const container = new Container(record, engine.records);
  using _ = await container.mutex.acquire();
  engine.containers.add(container);
  undo.push(() => engine.containers.remove(container));
  undo.push(() => engine.records.remove(id));
  await engine.records.write(record);
  undo.push(() => engine.driver.remove(id));
  const size = layerSize(config.HostConfig.StorageOpt);
  await engine.driver.create(id, image.topLayer, size === undefined ? {} : { size });
  // As Docker: a folder that a bind names is made. What a Mount names has to be there.
  for (const source of bindSources(config.HostConfig)) await makeFolder(source);
  await container.update({ state: { kind: 'created', exitCode: 0 } });
  undo.commit();
  publishContainer(engine, container, 'create');
  const volumes = Object.keys(image.config.config?.Volumes ?? {});
  const noVolumes = `hull has no volumes yet: what is written to ${volumes.join(', ')} stays in the container`;
  return { id, warnings: volumes.length > 0 ? [...warnings, noVolumes] : warnings };
}

/** Finds now what would otherwise be found at start: everything in the spec but the user's number. */
function checkConfig(engine: Engine, id: string, config: ContainerConfig, features: CgroupFeatures): void {
  if (config.Tty) throw unsupported('Tty', 'hull has no terminals yet');
  if (config.WorkingDir !== '' && !config.WorkingDir.startsWith('/')) {
    throw new HullError(
      `Cannot create a container: WorkingDir: found ${JSON.stringify(config.WorkingDir)}, wanted an absolute path`,
      { kind: 'invalid' },
    );
  }
  if (config.StopSignal !== '') parseSignal(config.StopSignal);
  const { AutoRemove, RestartPolicy } = config.HostConfig;
  if (AutoRemove && RestartPolicy.Name !== 'no') {
    throw new HullError(
      'Cannot create a container: HostConfig.AutoRemove and RestartPolicy exclude each other',
      {
        kind: 'invalid',
      },
    );
  }
  makeSpec({
    id,
    config,
    user: { uid: 0, gid: 0, additionalGids: [], home: '/' },
    cgroupPath: cgroupPathOf(engine, id),
    cgroupMode: engine.cgroups.mode,
    cgroupFeatures: features,
    lastCapability: engine.lastCapability,
    files: [],
    hostDevices: [],
    requestedDevices: noDevices,
    machine: engine.machine,
  });
}

function freeName(table: ContainerTable): string {
  for (let attempt = 0; ; attempt++) {
    const name = proposeName(attempt);
    if (!table.isNameTaken(name)) return name;
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    // A file or socket can be bound as well; anything else shows at the start, with the step that failed.
    if (!(error instanceof Error && 'code' in error && (error.code === 'EEXIST' || error.code === 'ENOTDIR')))
      throw error;
  }
}

function unsupported(field: string, reason: string): HullError {
  return new HullError(`Cannot create a container: ${field}: ${reason}`, { kind: 'unsupported' });
}
