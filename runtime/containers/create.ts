import { Cleanup } from '../base/cleanup.ts';
import { HullError } from '../base/errors.ts';
import { once } from '../base/once.ts';
import type { CgroupFeatures } from '../cgroups/cgroup.ts';
import type { Image } from '../images/image-store.ts';
import { Container } from './container.ts';
import type { ContainerTable } from './container-table.ts';
import type { Engine } from './engine.ts';
import { cgroupPathOf } from './engine.ts';
import { chooseModes } from './host-modes.ts';
import { limitWarnings } from './limits.ts';
import { checkLogConfig } from './log-config.ts';
import { mergeConfig } from './merge-config.ts';
import { checkSources } from './mounts/check-sources.ts';
import { type ChosenMounts, chooseMounts } from './mounts/choose-mounts.ts';
import type { MountPoint } from './mounts/mount-point.ts';
import { removeAnonymousVolumes } from './mounts/release-volumes.ts';
import { plainMounts } from './mounts/spec-mount.ts';
import { checkName, newContainerId, proposeName } from './names.ts';
import { publishContainer } from './publish.ts';
import { type ContainerConfig, type ContainerRecord, isTransient } from './record.ts';
import { noDevices } from './requested-devices.ts';
import { parseSignal } from './signals.ts';
import { makeSpec } from './spec.ts';
import { layerSize } from './storage-options.ts';

export interface Created {
  readonly id: string;
  readonly warnings: readonly string[];
}

export interface CreateOptions {
  /** It is for one instruction of a build, and its image may be `scratch`: nothing. */
  readonly forBuild?: boolean;
  /** The platform that the image must be of, as `linux/arm64`; empty or left out: any. */
  readonly platform?: string;
}

/**
 * Afterwards the container exists and is not started; or, on an error, nothing of it does. Kinds: `not-found` (image),
 * `conflict` (name), `invalid` and `unsupported` (a field of the body, named).
 */
export async function createContainer(
  engine: Engine,
  body: unknown,
  wantedName: string | undefined,
  { forBuild = false, platform = '' }: CreateOptions = {},
): Promise<Created> {
  const request = (await loadParser())(body);
  const isEmpty = forBuild && request.Image === 'scratch';
  const image = isEmpty ? undefined : await engine.images.get(request.Image);
  if (image && platform !== '') await checkPlatform(request.Image, image, platform);
  const config = mergeConfig(request, image?.config.config);
  const id = newContainerId();
  const features = await engine.cgroups.features();
  const mounts = chooseMounts(config, {
    mountsOf: (name) => engine.containers.get(name).record.mounts,
    dataOf: (name) => engine.volumes.dataOf(name),
  });
  checkConfig(engine, id, config, mounts.points, features);
  await checkSources(mounts.points);
  const warnings = [
    ...checkLogConfig(body),
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
    image: { reference: request.Image, id: image?.id ?? '' },
    config,
    mounts: mounts.points,
    state: { kind: 'creating' },
    ...(forBuild && { forBuild }),
    stoppedByUser: false,
    restartCount: 0,
    error: '',
  };
  const container = new Container(record, engine.records);
  container.leftNothing = true;
  using _ = await container.mutex.acquire();
  engine.containers.add(container);
  undo.push(() => engine.containers.remove(container));
  undo.push(() => engine.records.remove(id));
  const flushed = engine.records.begin({ ...record, state: { kind: 'created', exitCode: 0 } });
  undo.push(() => engine.driver.remove(id));
  const size = layerSize(config.HostConfig.StorageOpt);
  const made = engine.driver.create(id, image?.topLayer, {
    ...(size === undefined ? {} : { size }),
    transient: isTransient(record),
  });
  // Both wait for the disk: at the same time.
  await Promise.all([made, flushed]);
  if (mounts.points.length > 0) await giveVolumes(engine, container, mounts.volumes, undo);
  await container.finishCreation();
  undo.commit();
  publishContainer(engine, container, 'create');
  return { id, warnings };
}

/** Validation brings a library that nothing else at start-up needs. */
const loadParser = once(async () => (await import('./create-request.ts')).parseCreateRequest);

/** Finds now what would otherwise be found at start: everything in the spec but the user's number. */
function checkConfig(
  engine: Engine,
  id: string,
  config: ContainerConfig,
  mounts: readonly MountPoint[],
  features: CgroupFeatures,
): void {
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
    cgroupPath: engine.cgroups.open(cgroupPathOf(engine, id, config)).path,
    cgroupMode: engine.cgroups.mode,
    cgroupFeatures: features,
    capabilities: engine.capabilities,
    mounts: plainMounts(mounts),
    files: [],
    hostDevices: [],
    requestedDevices: noDevices,
    machine: engine.machine,
  });
}

/** Kind `not-found`, as Docker has it: the client then pulls the image of the platform. */
async function checkPlatform(reference: string, image: Image, text: string): Promise<void> {
  const { fitsPlatform, formatPlatform, parsePlatform } = await import('../images/registry/platform.ts');
  const wanted = parsePlatform(text);
  const found = image.config;
  if (fitsPlatform(found, wanted)) return;
  throw new HullError(
    `Cannot create a container: image with reference ${reference} was found but its platform (${formatPlatform(found)}) does not match the specified platform (${formatPlatform(wanted)})`,
    { kind: 'not-found' },
  );
}

function freeName(table: ContainerTable): string {
  for (let attempt = 0; ; attempt++) {
    const name = proposeName(attempt);
    if (!table.isNameTaken(name)) return name;
  }
}

async function giveVolumes(
  engine: Engine,
  container: Container,
  volumes: ChosenMounts['volumes'],
  undo: Cleanup,
): Promise<void> {
  const { makeVolumes } = await import('./mounts/make-volumes.ts');
  undo.push(() => removeAnonymousVolumes(engine, container));
  await makeVolumes(engine, container, volumes);
}
