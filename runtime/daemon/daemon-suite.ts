import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import { TestDaemon, testImage, whyNoDaemon } from './daemon-fixture.ts';

/** A daemon for a suite of tests, and what they do all the time. It is there from the first test on. */
export class DaemonWorld {
  #daemon: TestDaemon | undefined;

  get daemon(): TestDaemon {
    if (!this.#daemon) throw new Error('Cannot use the daemon: it is started before the first test');
    return this.#daemon;
  }

  get docker(): Docker {
    return this.daemon.docker;
  }

  async open(driver: string, options: readonly string[]): Promise<void> {
    this.#daemon = await TestDaemon.start(driver, { options });
    await this.daemon.loadImage();
  }

  /** Afterwards there is a daemon and no container, and nothing that a test has made is left. */
  async clear(): Promise<void> {
    if (this.daemon.pid === 0) await this.daemon.up();
    for (const { Id } of await this.docker.listContainers({ all: true })) {
      await this.docker.getContainer(Id).remove({ force: true });
    }
    expect(await this.daemon.leftovers()).toEqual([]);
  }

  async close(): Promise<void> {
    if (!this.#daemon) return;
    await this.#daemon[Symbol.asyncDispose]();
    expect(await this.#daemon.kernelLeftovers()).toEqual([]);
  }

  readonly create = async (
    Cmd: string[],
    more: Docker.ContainerCreateOptions = {},
  ): Promise<Docker.Container> => await this.docker.createContainer({ Image: testImage, Cmd, ...more });
}

/** A command that says something ten times a second, and ends with 5 when it is asked to. */
export const forever = ['sh', '-c', 'trap "exit 5" TERM; while :; do echo tick; sleep 0.1; done'];

/** Each test of the suite begins with a daemon (and these options) without containers and must leave nothing on the host. */
export function describeDaemon(
  title: string,
  {
    driver = 'overlay',
    options = [],
    why = whyNoDaemon(),
  }: { readonly driver?: string; readonly options?: readonly string[]; readonly why?: string },
  tests: (world: DaemonWorld) => void,
): void {
  describe.skipIf(why !== '')(`${title}${why && ` (skipped: ${why})`}`, () => {
    const world = new DaemonWorld();
    beforeAll(() => world.open(driver, options));
    afterEach(() => world.clear());
    afterAll(() => world.close());
    tests(world);
  });
}

/** The HTTP status of a call's failure; 200 where it did not fail. */
export async function statusOf(call: Promise<unknown>): Promise<number> {
  return await call.then(
    () => 200,
    (error: { statusCode: number }) => error.statusCode,
  );
}

/** What `docker logs` shows of both streams. */
export async function logsOf(
  container: Docker.Container,
  more: object = {},
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  return demultiplex(await container.logs({ stdout: true, stderr: true, ...more, follow: false }));
}

export function demultiplex(bytes: Buffer): { readonly stdout: string; readonly stderr: string } {
  const found = { 1: '', 2: '' };
  for (let at = 0; at + 8 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at + 4);
    found[bytes[at] === 1 ? 1 : 2] += bytes.toString('utf8', at + 8, at + 8 + length);
    at += 8 + length;
  }
  return { stdout: found[1], stderr: found[2] };
}

/** For what never comes; a busy emulated guest takes its time. */
const patienceMs = 50_000;

export async function until(reached: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + patienceMs; !(await reached()); await sleep(30)) {
    if (Date.now() > deadline) throw new Error(`not reached within ${patienceMs / 1000} s: ${reached}`);
  }
}
