import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ensureSystemPackages } from './system-packages.ts';

let folder: string;
const progress: string[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'seatrial-packages-'));
  progress.length = 0;
});

afterEach(() => rm(folder, { recursive: true, force: true }));

const ensure = (isRoot: boolean) =>
  ensureSystemPackages('scenarios', (message) => progress.push(message), { folders: [folder], isRoot });

it('names what is missing and the one command, where it may not install', async () => {
  await fakeProgram('apt-get', '');
  await fakeProgram('qemu-img', '');
  await expect(ensure(false)).rejects.toThrow(
    /^Cannot run the scenarios: missing qemu-system-x86_64, mmdebstrap,.*; as root run: apt install qemu-system-x86 mmdebstrap .*busybox-static/,
  );
  expect(progress).toEqual([]);
});

it('installs what is missing with apt, after an update, and looks again', async () => {
  const log = join(folder, 'log');
  // Makes a program of each package's name; the harness looks for the program's name.
  const programs = 'qemu-system-x86_64 qemu-img mmdebstrap mount setpriv mke2fs busybox flock';
  await fakeProgram(
    'apt-get',
    `echo "$@" >> ${log}; [ "$1" = install ] || exit 0; for p in ${programs}; do cp "$0" "$(dirname "$0")/$p"; done`,
  );
  // The keyring is looked for at its own place.
  const outcome = await ensure(true).then(
    () => 'installed',
    (error: Error) => error.message,
  );
  expect(outcome).toMatch(
    /^installed$|still missing after .*: \/usr\/share\/keyrings\/debian-archive-keyring.gpg$/,
  );
  const [update, install] = (await readFile(log, 'utf8')).trim().split('\n');
  expect(update).toBe('update');
  expect(install).toMatch(/^install -y --no-install-recommends .*\bqemu-utils\b/);
  expect(progress).toHaveLength(1);
});

const podman = 'podman.service podman.socket podman-auto-update.timer podman-restart.service';
const units = `docker-registry.service ${podman}`;

it.each([
  [
    true,
    [
      `systemctl mask --runtime ${units}`,
      'apt-get update',
      'apt-get install',
      `systemctl unmask --runtime ${units}`,
      `systemctl disable ${units}`,
    ],
  ],
  // A mask would make /run/systemd/system, which says that systemd runs.
  [false, ['apt-get update', 'apt-get install', `systemctl disable ${units}`]],
])('leaves services of packages stopped and disabled, where systemd runs: %s', async (isBooted, calls) => {
  const log = join(folder, 'log');
  await fakeProgram('apt-get', `echo "apt-get $1" >> ${log}; [ "$1" != install ] || exit 100`);
  await fakeProgram('systemctl', `echo "systemctl $@" >> ${log}`);
  const options = { folders: [folder], isRoot: true, isBooted };
  await expect(ensureSystemPackages('tests', () => {}, options)).rejects.toThrow('Cannot install');
  expect((await readFile(log, 'utf8')).trim().split('\n')).toEqual(calls);
});

it('says in the package manager’s words why it could not install', async () => {
  await fakeProgram('apt-get', 'echo "E: no such mirror" >&2; exit 100');
  await expect(ensure(true)).rejects.toThrow(
    /^Cannot install qemu-system-x86 .*: apt update: E: no such mirror$/,
  );
});

it('uses the names of dnf where there is no apt', async () => {
  await fakeProgram('dnf', '');
  await expect(ensure(false)).rejects.toThrow(/as root run: dnf install qemu-system-x86-core qemu-img/);
});

async function fakeProgram(name: string, script: string): Promise<void> {
  const path = join(folder, name);
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
}
