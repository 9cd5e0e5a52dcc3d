import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { writeCached } from './cache.ts';
import { identityOf, processesLabelled, readOwners, reapOwners, recordOwner } from './owners.ts';

let folder: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'seatrial-owners-'));
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

/** A process that looks like an emulator: the label follows `-name` on its command line. */
async function labelled(label: string): Promise<ChildProcess> {
  const child = spawn('sh', ['-c', 'echo; sleep 60; :', 'sh', '-name', label], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  children.push(child);
  await once(child.stdout, 'data');
  return child;
}

it('ends and removes what a dead harness left, and nothing else', async () => {
  const label = `seatrial-test-${process.pid}`;
  const [left, other] = [join(folder, 'left'), join(folder, 'other')];
  await Promise.all([writeFile(left, ''), writeFile(other, '')]);
  const [guest, stranger] = [await labelled(`${label}-dead`), await labelled(`${label}-dead-but-longer`)];
  const dead = { ...identityOf(process.pid), startTicks: '1' };
  await writeCached(join(folder, 'owners', 'dead.json'), {
    label: `${label}-dead`,
    harness: dead,
    paths: [left, join(folder, 'never made')],
  });
  const exit = once(guest, 'exit');
  expect(await reapOwners(folder)).toEqual([`process ${guest.pid} (${label}-dead)`, left]);
  expect((await exit)[1]).toBe('SIGKILL');
  expect(processesLabelled(`${label}-dead-but-longer`)).toContain(stranger.pid);
  expect([existsSync(left), existsSync(other)]).toEqual([false, true]);
  expect(await readOwners(folder)).toEqual([]);
  expect(await reapOwners(folder)).toEqual([]);
});

it('leaves what belongs to a living harness', async () => {
  const label = `seatrial-test-${process.pid}-alive`;
  const mine = join(folder, 'mine');
  await writeFile(mine, '');
  const guest = await labelled(label);
  await recordOwner(folder, label, [mine]);
  expect(await reapOwners(folder)).toEqual([]);
  expect(existsSync(mine)).toBe(true);
  // A shell that is about to start another program is there twice for a moment.
  expect(processesLabelled(label)).toContain(guest.pid);
});
