import { createContainer, startAndWait } from '../containers.ts';
import type { EngineProcess } from '../engine.ts';
import { smallArchive, smallImage } from '../images.ts';
import { makeBundle } from '../oci-bundle.ts';
import { type OciSubject, openOciRuntime } from '../oci-runtime.ts';
import { runAndRemove } from '../run-and-remove.ts';
import type { Contender, Task } from '../task.ts';
import { ready, timed } from '../timed.ts';
import { findProgram, type World } from '../world.ts';

const together = 20;

export const runToExit: Task = {
  name: 'run-to-exit',
  about:
    '/bin/true in a container, from nothing to removed; the daemons through the API, as `docker run --rm` does',
  references: ['crun', 'runc', 'unshare'],
  contenders: [
    engine(
      'hull',
      (world) => world.hull('overlay'),
      (daemon) => () => timed(() => run(daemon)),
    ),
    oci('hull-oci', 1),
    oci('hull-oci (warm)', 1),
    oci('crun', 1),
    oci('runc', 1),
    {
      subject: 'unshare',
      open: async (world) => {
        const unshare = await findProgram('unshare');
        const flags = ['--mount', '--pid', '--fork', '--net', '--ipc', '--uts', '--mount-proc'];
        const spawner = await world.plain();
        return ready(() => spawner.run([unshare, ...flags, '/bin/true']));
      },
    },
    engine(
      'docker',
      (world) => world.docker(),
      (daemon) => () => timed(() => run(daemon)),
    ),
  ],
};

export const startToExit: Task = {
  name: 'start-to-exit',
  about: 'the same container, already created: from start to the exit status',
  references: ['docker', 'hull'],
  contenders: [
    engine('hull', (world) => world.hull('overlay'), startSample),
    engine('docker', (world) => world.docker(), startSample),
  ],
};

export const parallelStarts: Task = {
  name: `parallel-${together}`,
  about: `${together} times run-to-exit at once, until the last has ended`,
  references: ['crun', 'runc'],
  contenders: [
    engine('hull', (world) => world.hull('overlay'), parallelSample),
    oci('hull-oci', together),
    oci('hull-oci (warm)', together),
    oci('crun', together),
    oci('runc', together),
    engine('docker', (world) => world.docker(), parallelSample),
  ],
};

const run = ({ socket }: EngineProcess): Promise<void> => runAndRemove(socket, smallImage, ['true']);

function engine(
  subject: 'hull' | 'docker',
  open: (world: World) => Promise<EngineProcess>,
  makeSample: (daemon: EngineProcess) => () => Promise<number>,
): Contender {
  return {
    subject,
    ...(subject === 'hull' ? { driver: 'overlay' } : { driver: 'overlay2' }),
    open: async (world) => {
      const daemon = await open(world);
      await daemon.ensureImage(smallImage, () => smallArchive(world));
      return ready(makeSample(daemon));
    },
  };
}

function startSample({ docker }: EngineProcess): () => Promise<number> {
  return async () => {
    const container = await createContainer(docker, smallImage, ['true']);
    const ms = await timed(() => startAndWait(container));
    await container.remove();
    return ms;
  };
}

function parallelSample(daemon: EngineProcess): () => Promise<number> {
  return () => timed(() => Promise.all(Array.from({ length: together }, () => run(daemon))));
}

function oci(subject: OciSubject, times: number): Contender {
  return {
    subject,
    open: async (world) => {
      const { spawner, call } = await openOciRuntime(world, subject);
      const bundles: string[] = [];
      for (let i = 0; i < times; i += 1) bundles.push(await makeBundle(world, { args: ['/bin/true'] }));
      return ready(() =>
        spawner.run(...bundles.map((bundle) => call('run', '--bundle', bundle, world.unique('bench')))),
      );
    },
  };
}
