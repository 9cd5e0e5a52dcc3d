import { createHash } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import type Docker from 'dockerode';
import { expect } from 'vitest';
import { buildTestImage, type TestImage } from '../../harness/images/test-image.ts';
import { demultiplex } from '../support/demultiplex.ts';

/** One piece of work that a power cut interrupts. Each verb sees the engine's API alone. */
export interface Work {
  readonly name: string;
  /** What must be there before; the engine has answered it, so it must outlast the cut. */
  prepare(docker: Docker): Promise<void>;
  /** What is cut off. It may be done again, whatever of it was done before. */
  perform(docker: Docker): Promise<void>;
  /** After the restart: nothing is half there, and what was there before is as it was. */
  expectWhole(docker: Docker): Promise<void>;
  /** After `perform` came to its end. */
  expectDone(docker: Docker): Promise<void>;
  /** Afterwards all is as before `prepare`. */
  undo(docker: Docker): Promise<void>;
}

const reference = 'seatrial/cargo:latest';
const ballastBytes = 6 * 1024 * 1024;
const cargo = await buildTestImage({ reference, extraBytes: ballastBytes });
const ballast = sha256(Buffer.alloc(ballastBytes, 'ballast '));

/** Its cargo is written at the first start and flushed by itself; every start tells its digest. */
const cargoScript =
  '[ -e /cargo ] || { head -c 3000000 /dev/urandom >/cargo; sync; }; sha256sum /cargo | cut -c1-64';

export const works: readonly Work[] = [load(), commit(), remove()];

/** The base image: its three layers, seen together. */
export async function expectImageWorks(docker: Docker, image: string): Promise<void> {
  const seen = await output(docker, image, ['sh', '-c', 'cat /etc/motd; ls /var/cargo; ls /etc/obsolete']);
  expect(seen).toBe('The third layer.\nnew\n');
}

export async function loadImage(docker: Docker, image: TestImage): Promise<void> {
  const archive = new PassThrough();
  archive.end(image.archive);
  const said = await text(await docker.loadImage(archive));
  if (said.includes('"error"')) throw new Error(said);
}

function load(): Work {
  return {
    name: 'load',
    prepare: async () => {},
    perform: (docker) => loadImage(docker, cargo),
    expectWhole: async (docker) => {
      if (await present(docker.getImage(reference))) await expectCargoImage(docker);
    },
    expectDone: expectCargoImage,
    undo: (docker) => docker.getImage(reference).remove(),
  };
}

function commit(): Work {
  const made = { repo: 'seatrial/committed', tag: 'latest' };
  const name = 'committed-from';
  let digest = '';
  return {
    name: 'commit',
    prepare: async (docker) => {
      digest = await startCargo(docker, name, 'seatrial/busybox');
    },
    perform: async (docker) => {
      // One that was whole before the cut would stay as an image without a name.
      await docker.getImage(made.repo).remove().catch(ignoreAbsent);
      await docker.getContainer(name).commit(made);
    },
    expectWhole: async (docker) => {
      expect(await runAgain(docker.getContainer(name))).toBe(digest);
      if (await present(docker.getImage(made.repo))) await expectCommitted(docker);
    },
    expectDone: expectCommitted,
    undo: async (docker) => {
      await docker.getImage(made.repo).remove();
      await docker.getContainer(name).remove();
    },
  };

  async function expectCommitted(docker: Docker): Promise<void> {
    expect(await output(docker, made.repo, ['sh', '-c', cargoScript])).toBe(`${digest}\n`);
    await expectImageWorks(docker, made.repo);
  }
}

function remove(): Work {
  const name = 'removed';
  let digest = '';
  return {
    name: 'rm',
    prepare: async (docker) => {
      await loadImage(docker, cargo);
      digest = await startCargo(docker, name, reference);
    },
    perform: async (docker) => {
      await docker.getContainer(name).remove().catch(ignoreAbsent);
      await docker.getImage(reference).remove().catch(ignoreAbsent);
    },
    expectWhole: async (docker) => {
      const container = docker.getContainer(name);
      if (await present(container)) expect(await runAgain(container)).toBe(digest);
      if (await present(docker.getImage(reference))) await expectCargoImage(docker);
    },
    expectDone: async (docker) => {
      expect(await present(docker.getContainer(name))).toBe(false);
      expect(await present(docker.getImage(reference))).toBe(false);
    },
    undo: async () => {},
  };
}

async function expectCargoImage(docker: Docker): Promise<void> {
  expect((await docker.getImage(reference).inspect()).Id).toBe(cargo.id);
  const seen = await output(docker, reference, ['sh', '-c', 'sha256sum /ballast | cut -c1-64']);
  expect(seen).toBe(`${ballast}\n`);
}

async function startCargo(docker: Docker, name: string, image: string): Promise<string> {
  return runAgain(await create(docker, image, ['sh', '-c', cargoScript], name));
}

/** Runs it to its end; the last line it said. */
async function runAgain(container: Docker.Container): Promise<string> {
  await container.start();
  await container.wait();
  const { stdout, stderr } = demultiplex(await container.logs({ stdout: true, stderr: true, follow: false }));
  return stdout.trimEnd().split('\n').at(-1) || stderr;
}

/** What a container says that is gone afterwards. */
async function output(docker: Docker, image: string, command: string[]): Promise<string> {
  const container = await create(docker, image, command);
  try {
    await container.start();
    await container.wait();
    return demultiplex(await container.logs({ stdout: true, stderr: true, follow: false })).stdout;
  } finally {
    await container.remove({ force: true });
  }
}

function create(docker: Docker, image: string, command: string[], name?: string): Promise<Docker.Container> {
  const HostConfig = { NetworkMode: 'none' };
  return docker.createContainer({ Image: image, Cmd: command, HostConfig, ...(name && { name }) });
}

async function present(thing: { inspect(): Promise<unknown> }): Promise<boolean> {
  return (await thing.inspect().catch(ignoreAbsent)) !== undefined;
}

function ignoreAbsent(error: unknown): undefined {
  if (error instanceof Error && 'statusCode' in error && error.statusCode === 404) return undefined;
  throw error;
}

function sha256(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
