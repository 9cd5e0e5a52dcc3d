import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { describeDaemon, forever } from './daemon-suite.ts';

describeDaemon('hull daemon under stress', {}, (world) => {
  const descriptors = async () => (await readdir(`/proc/${world.daemon.pid}/fd`)).length;

  test('short runs in a row: no exit is lost, no descriptor kept', async () => {
    let before = 0;
    for (let round = 0; round < 60; round++) {
      const container = await world.create(['sh', '-c', `exit ${round}`]);
      const waiting = container.wait({ condition: 'next-exit' });
      await container.start();
      expect(await waiting).toMatchObject({ StatusCode: round });
      await container.remove();
      if (round === 20) before = await descriptors();
    }
    await sleep(200);
    expect(await descriptors()).toBeLessThanOrEqual(before + 2);
  });

  test('many at once, each through its whole life', async () => {
    await Promise.all(
      Array.from({ length: 12 }, async (_, lane) => {
        for (let round = 0; round < 3; round++) {
          const container = await world.create(forever, { name: `lane-${lane}-${round}` });
          await container.start();
          await container.stop({ t: 5 });
          expect((await container.inspect()).State.ExitCode).toBeOneOf([5, 137]);
          await container.remove();
        }
      }),
    );
  });

  test('twenty waiters, a list that runs all the time, and two removals at once', async () => {
    const container = await world.create(['sleep', '0.5']);
    const waiters = Array.from({ length: 20 }, () => container.wait({ condition: 'next-exit' }));
    await container.start();
    const removing = await world.create(['true'], { HostConfig: { AutoRemove: true } });
    await removing.start();
    await Promise.all([
      removing.remove({ force: true }).catch((error) => expect(error.statusCode).toBe(404)),
      ...Array.from({ length: 10 }, () => world.docker.listContainers({ all: true })),
    ]);
    for (const outcome of await Promise.all(waiters)) expect(outcome).toMatchObject({ StatusCode: 0 });
    const twice = await Promise.allSettled([
      container.remove({ force: true }),
      container.remove({ force: true }),
    ]);
    expect(twice.some(({ status }) => status === 'fulfilled')).toBe(true);
  });

  test('an exec into a container that dies ends, one way or the other', async () => {
    for (let round = 0; round < 15; round++) {
      const container = await world.create(forever);
      await container.start();
      const exec = await container.exec({ Cmd: ['sleep', '30'], AttachStdout: true });
      const started = exec.start({ hijack: true, stdin: false }).then(
        async (stream) =>
          await new Promise<void>((resolve) => stream.on('end', resolve).on('close', resolve).resume()),
        () => undefined,
      );
      await sleep(round * 3);
      await container.kill();
      await started;
      await container.remove({ force: true });
    }
  });

  test("children in the host's pid namespace die with their container", async () => {
    const container = await world.create(['sh', '-c', 'sleep 4567 & sleep 4567 & exit 3'], {
      HostConfig: { PidMode: 'host' },
    });
    await container.start();
    expect(await container.wait()).toMatchObject({ StatusCode: 3 });
    expect(await world.daemon.kernelLeftovers()).toEqual([]);
  });

  test('a stop gets through to a paused container', async () => {
    const container = await world.create(forever);
    await container.start();
    await sleep(200);
    await container.pause();
    await container.stop({ t: 5 });
    expect((await container.inspect()).State).toMatchObject({ Status: 'exited', ExitCode: 5 });
  });

  test('a crash while paused: it is paused afterwards, or running when it was thawed meanwhile', async () => {
    const container = await world.create(forever);
    await container.start();
    await container.pause();
    await world.daemon.kill();
    await world.daemon.up();
    expect((await container.inspect()).State.Status).toBe('paused');
    await container.unpause();
    expect((await container.inspect()).State.Status).toBe('running');
  });

  test('a reboot: what ran is exited with 255, its policy applied, and nothing of the old boot is touched', async () => {
    const plain = await world.create(['sleep', '1000']);
    const always = await world.create(['sleep', '1000'], {
      HostConfig: { RestartPolicy: { Name: 'always' } },
    });
    for (const one of [plain, always]) await one.start();
    const pids = [(await plain.inspect()).State.Pid, (await always.inspect()).State.Pid];
    await world.daemon.kill();
    // What a reboot leaves: records of another boot, processes that are not there.
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    await sleep(300);
    for (const { id } of [plain, always]) {
      const file = join(world.daemon.dataRoot, 'containers', id, 'container.json');
      const record = JSON.parse(await readFile(file, 'utf8'));
      record.state = { ...record.state, bootId: '00000000-0000-0000-0000-000000000000', pid: process.pid };
      await writeFile(file, JSON.stringify(record));
    }
    await world.daemon.up();
    expect((await plain.inspect()).State).toMatchObject({ Status: 'exited', ExitCode: 255 });
    for (let tries = 0; !(await always.inspect()).State.Pid; tries++) {
      expect(tries).toBeLessThan(100);
      await sleep(50);
    }
    expect((await always.inspect()).State.Running).toBe(true);
  });

  test('SIGKILL of the daemon at any moment of a create or a remove: there, or not there', async () => {
    for (let delay = 0; delay < 40; delay += 5) {
      const name = `half-${delay}`;
      const creating = world.create(['true'], { name }).catch(() => undefined);
      await sleep(delay);
      await world.daemon.kill();
      await creating;
      await world.daemon.up();
      const found = await world.docker.listContainers({ all: true });
      if (found.length === 0) await world.create(['true'], { name });
      const container = world.docker.getContainer(name);
      await container.start();
      expect(await container.wait()).toMatchObject({ StatusCode: 0 });
      const removing = container.remove().catch(() => undefined);
      await sleep(delay);
      await world.daemon.kill();
      await removing;
      await world.daemon.up();
      for (const { Id } of await world.docker.listContainers({ all: true }))
        await world.docker.getContainer(Id).remove();
      expect(await world.daemon.leftovers()).toEqual([]);
    }
  }, 900_000);

  test('a megabyte a second goes through logs and attach whole', async () => {
    const container = await world.create([
      'sh',
      '-c',
      'i=0; while [ $i -lt 20000 ]; do echo line $i padding padding; i=$((i+1)); done',
    ]);
    const stream = await container.attach({ stream: true, stdout: true, stderr: true, hijack: true });
    const attached = collect(stream);
    await container.start();
    const followed = collect(await container.logs({ stdout: true, follow: true }));
    await container.wait();
    const whole = Array.from({ length: 20_000 }, (_, at) => `line ${at} padding padding\n`).join('');
    expect(await attached).toBe(whole);
    expect(await followed).toBe(whole);
  });

  test('events tell the life of a container in order', async () => {
    const began = Math.floor(Date.now() / 1000);
    const events = await world.docker.getEvents({ since: began, filters: { type: ['container'] } });
    const seen: string[] = [];
    let rest = '';
    events.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop() ?? '';
      seen.push(
        ...lines
          .map((line) => JSON.parse(line))
          .flatMap((event) => (event.Actor.Attributes.name === 'told' ? [event.Action] : [])),
      );
    });
    const container = await world.create(forever, { name: 'told' });
    await container.start();
    await sleep(200);
    await container.stop({ t: 5 });
    await container.remove();
    await sleep(100);
    (events as unknown as { destroy(): void }).destroy();
    expect(seen).toEqual(['create', 'start', 'kill', 'die', 'stop', 'destroy']);
  });
});

async function collect(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  await new Promise<void>((resolve, reject) => {
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => resolve());
    stream.on('error', reject);
  });
  const bytes = Buffer.concat(chunks);
  let text = '';
  for (let at = 0; at + 8 <= bytes.length; at += 8 + bytes.readUInt32BE(at + 4)) {
    text += bytes.toString('utf8', at + 8, at + 8 + bytes.readUInt32BE(at + 4));
  }
  return text;
}
