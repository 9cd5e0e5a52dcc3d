import { join } from 'node:path';
import { type DaemonCommand, EngineProcess } from '../engine.ts';
import type { Contender, Subject, Task } from '../task.ts';
import { ready } from '../timed.ts';
import type { World } from '../world.ts';

export const daemonStart: Task = {
  name: 'daemon-start',
  about: 'from the start of the daemon to its first answered ping, on a data root it has used before',
  references: ['docker', 'hull'],
  contenders: [
    daemon('hull', 'overlay', (world) => world.hullCommand('start', 'overlay')),
    daemon('hull-bundle', 'overlay', async (world) =>
      world.hullCommand('start-bundle', 'overlay', await world.bundle(), {
        NODE_COMPILE_CACHE: join(world.folder, 'compile-cache'),
      }),
    ),
    daemon('docker', 'overlay2', (world) => world.dockerCommand('docker-start')),
  ],
};

function daemon(
  subject: Subject,
  driver: string,
  command: (world: World) => Promise<DaemonCommand>,
): Contender {
  return {
    subject,
    driver,
    open: async (world) => {
      const made = await command(world);
      return ready(async () => {
        await using started = await EngineProcess.start(made);
        return started.startMs;
      });
    },
  };
}
