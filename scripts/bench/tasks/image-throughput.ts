import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createContainer, startAndWait } from '../containers.ts';
import { type EngineProcess, loadImage } from '../engine.ts';
import { payloadArchive, payloadBytes, payloadImage, payloadLayout } from '../images.ts';
import type { Contender, Task } from '../task.ts';
import { ready, timed } from '../timed.ts';
import { dockerDrivers, findProgram, hullDrivers, type World } from '../world.ts';

export const imageLoad: Task = {
  name: 'image-load',
  about: `load of an image with one layer of --payload MiB; umoci: unpack from an OCI layout`,
  bytes: payloadBytes,
  references: ['docker', 'umoci', 'hull'],
  contenders: [
    ...hullDrivers.map((driver) => load('hull', driver, (world) => world.hull(driver))),
    ...dockerDrivers.map((driver) => load('docker', driver, (world) => world.docker(driver))),
    { subject: 'umoci', open: unpackWithUmoci },
  ],
};

export const imageCommit: Task = {
  name: 'image-commit',
  about: `commit of a container that wrote --payload MiB; umoci: repack, which also compresses`,
  bytes: payloadBytes,
  references: ['docker', 'umoci', 'hull'],
  contenders: [
    ...hullDrivers.map((driver) => commit('hull', driver, (world) => world.hull(driver))),
    ...dockerDrivers.map((driver) => commit('docker', driver, (world) => world.docker(driver))),
    { subject: 'umoci', open: repackWithUmoci },
  ],
};

type Open = (world: World) => Promise<EngineProcess>;

function load(subject: 'hull' | 'docker', driver: string, open: Open): Contender {
  return {
    subject,
    driver,
    open: async (world) => {
      const { docker } = await open(world);
      const archive = await payloadArchive(world);
      return ready(async () => {
        const ms = await timed(() => loadImage(docker, archive));
        await docker.getImage(payloadImage).remove();
        return ms;
      });
    },
  };
}

function commit(subject: 'hull' | 'docker', driver: string, open: Open): Contender {
  return {
    subject,
    driver,
    open: async (world) => {
      const { docker } = await open(world);
      // By hand, not once for all tasks: image-load removes it.
      await loadImage(docker, await payloadArchive(world));
      const copy = ['/bin/busybox', 'cp', '-r', '/payload', '/copy'];
      const container = await createContainer(docker, payloadImage, copy);
      await startAndWait(container);
      return ready(
        async () => {
          const tag = world.unique('commit');
          const ms = await timed(() => container.commit({ repo: 'bench/commit', tag }));
          await docker.getImage(`bench/commit:${tag}`).remove();
          return ms;
        },
        async () => {
          await container.remove();
          await docker.getImage(payloadImage).remove();
        },
      );
    },
  };
}

async function unpackWithUmoci(world: World) {
  const umoci = await findProgram('umoci');
  const image = `${await payloadLayout(world)}:latest`;
  const spawner = await world.plain();
  return ready(async () => {
    const bundle = join(world.folder, world.unique('umoci'));
    const ms = await spawner.run([umoci, 'unpack', '--image', image, bundle]);
    await rm(bundle, { recursive: true });
    return ms;
  });
}

async function repackWithUmoci(world: World) {
  const umoci = await findProgram('umoci');
  const spawner = await world.plain();
  // Its own layout: repack writes into it.
  const layout = await world.makeFolder('umoci-layout');
  await cp(await payloadLayout(world), layout, { recursive: true });
  const bundle = join(world.folder, world.unique('umoci'));
  await spawner.run([umoci, 'unpack', '--image', `${layout}:latest`, bundle]);
  await cp(join(bundle, 'rootfs/payload'), join(bundle, 'rootfs/copy'), { recursive: true });
  return ready(
    async () => {
      const tag = world.unique('commit');
      const ms = await spawner.run([umoci, 'repack', '--image', `${layout}:${tag}`, bundle]);
      await spawner.run([umoci, 'rm', '--image', `${layout}:${tag}`]);
      await spawner.run([umoci, 'gc', '--layout', layout]);
      return ms;
    },
    () => rm(bundle, { recursive: true }),
  );
}
