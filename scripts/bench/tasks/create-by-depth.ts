import { createContainer } from '../containers.ts';
import type { EngineProcess } from '../engine.ts';
import { depthArchive, depthImage } from '../images.ts';
import type { Contender, Task } from '../task.ts';
import { ready, timed } from '../timed.ts';
import { dockerDrivers, hullDrivers, type World } from '../world.ts';

export const createByDepth: readonly Task[] = [1, 10, 100].map((depth) => ({
  name: `create-depth-${depth}`,
  about: `create of a container on an image of ${depth} ${depth === 1 ? 'layer' : 'layers'}, by storage driver`,
  references: ['hull'],
  contenders: [
    ...hullDrivers.map((driver) => engine('hull', driver, depth, (world) => world.hull(driver))),
    ...dockerDrivers.map((driver) => engine('docker', driver, depth, (world) => world.docker(driver))),
  ],
}));

function engine(
  subject: 'hull' | 'docker',
  driver: string,
  depth: number,
  open: (world: World) => Promise<EngineProcess>,
): Contender {
  return {
    subject,
    driver,
    open: async (world) => {
      const daemon = await open(world);
      await daemon.ensureImage(depthImage(depth), () => depthArchive(world, depth));
      return ready(async () => {
        const made: { remove(): Promise<unknown> }[] = [];
        const ms = await timed(async () => {
          made.push(await createContainer(daemon.docker, depthImage(depth), ['/never-run']));
        });
        for (const container of made) await container.remove();
        return ms;
      });
    },
  };
}
