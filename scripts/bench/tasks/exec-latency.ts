import { createContainer } from '../containers.ts';
import type { EngineProcess } from '../engine.ts';
import { smallArchive, smallImage } from '../images.ts';
import { makeBundle } from '../oci-bundle.ts';
import { type OciSubject, openOciRuntime } from '../oci-runtime.ts';
import type { Contender, Task } from '../task.ts';
import { ready, timed } from '../timed.ts';
import type { World } from '../world.ts';

export const execLatency: Task = {
  name: 'exec',
  about:
    '/bin/true in a running container; the daemons through the API: create, start, read to the end, inspect',
  references: ['crun', 'runc'],
  contenders: [
    engine('hull', 'overlay', (world) => world.hull('overlay')),
    oci('hull-oci'),
    oci('hull-oci (warm)'),
    oci('crun'),
    oci('runc'),
    engine('docker', 'overlay2', (world) => world.docker()),
  ],
};

function engine(
  subject: 'hull' | 'docker',
  driver: string,
  open: (world: World) => Promise<EngineProcess>,
): Contender {
  return {
    subject,
    driver,
    open: async (world) => {
      const daemon = await open(world);
      await daemon.ensureImage(smallImage, () => smallArchive(world));
      const container = await createContainer(daemon.docker, smallImage, ['sleep', '3600']);
      await container.start();
      const run = async () => {
        const exec = await container.exec({ Cmd: ['true'], AttachStdout: true });
        const output = await exec.start({});
        for await (const _ of output);
        const { ExitCode } = await exec.inspect();
        if (ExitCode !== 0) throw new Error(`Cannot run a command: found exit status ${ExitCode}, wanted 0`);
      };
      return ready(
        () => timed(run),
        async () => await container.remove({ force: true }),
      );
    },
  };
}

function oci(subject: OciSubject): Contender {
  return {
    subject,
    open: async (world) => {
      const { spawner, call } = await openOciRuntime(world, subject);
      const bundle = await makeBundle(world, { args: ['/bin/sleep', '3600'] });
      const id = world.unique('bench');
      await spawner.run(call('run', '--detach', '--bundle', bundle, id));
      return ready(
        () => spawner.run(call('exec', id, '/bin/true')),
        async () => void (await spawner.run(call('delete', '--force', id))),
      );
    },
  };
}
