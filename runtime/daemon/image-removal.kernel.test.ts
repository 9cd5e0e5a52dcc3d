import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { expect, test } from 'vitest';
import { testImage } from './daemon-fixture.ts';
import { describeDaemon, logsOf } from './daemon-suite.ts';

describeDaemon('rmi of images in use', {}, (world) => {
  const refusal = async (name: string, options: object = {}): Promise<string> =>
    await world.docker
      .getImage(name)
      .remove(options)
      .then(
        () => 'removed',
        (error: { statusCode: number; json: { message: string } }) =>
          `${error.statusCode} ${error.json.message}`,
      );
  const layers = async () => await readdir(join(world.daemon.dataRoot, 'images/overlay/layers'));
  const run = async (container: Docker.Container) => {
    await container.start();
    await container.wait();
  };

  test('Docker’s words and rules; a stopped container goes on without its image, and takes its layers along', async () => {
    const { Id } = await world.docker.getImage(testImage).inspect();
    const image = Id.slice(7, 19);
    const running = await world.create(['sleep', '1000']);
    await running.start();
    const user = running.id.slice(0, 12);
    expect(await refusal(testImage)).toBe(
      `409 conflict: unable to remove repository reference "${testImage}" (must force) - container ${user} is using its referenced image ${image}`,
    );
    expect(await refusal(Id, { force: true })).toBe(
      `409 conflict: unable to delete ${image} (cannot be forced) - image is being used by running container ${user}`,
    );
    await running.remove({ force: true });

    const stopped = await world.create(['sh', '-c', 'echo again; echo x >> /made; cat /plain']);
    await run(stopped);
    expect(await refusal(Id)).toBe(
      `409 conflict: unable to delete ${image} (must be forced) - image is being used by stopped container ${stopped.id.slice(0, 12)}`,
    );
    expect(await world.docker.getImage(testImage).remove({ force: true })).toEqual([
      { Untagged: testImage },
      { Deleted: Id },
    ]);
    expect(await refusal(testImage)).toBe(`404 No such image: ${testImage}`);
    for (const restart of [false, true]) {
      if (restart) {
        await world.daemon.kill();
        await world.daemon.up();
      }
      await run(stopped);
      expect((await logsOf(stopped)).stdout).toContain('again\nnot a program');
      expect(await stopped.changes()).toEqual([{ Path: '/made', Kind: 1 }]);
      expect((await stopped.inspect()).Image).toBe(Id);
      await expect(stopped.commit()).rejects.toMatchObject({ statusCode: 404 });
      expect(await layers()).toHaveLength(1);
    }
    const [shown] = await world.docker.listContainers({ all: true });
    expect(shown).toMatchObject({ Image: Id, ImageID: Id });
    await stopped.remove();
    expect(await layers()).toEqual([]);
    await world.daemon.loadImage();
    await run(await world.create(['true']));
  });
});
