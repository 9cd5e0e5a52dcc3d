import { readdirSync } from 'node:fs';
import { mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { brokenRecord } from './broken-record.ts';
import { Container } from './container.ts';
import { ContainerTable } from './container-table.ts';
import { type ContainerRecord, isAlive } from './record.ts';
import { RecordStore } from './record-store.ts';

const id = '0a'.repeat(32);
const record: ContainerRecord = {
  ...brokenRecord('vfs', id, ''),
  name: 'one',
  error: '',
  state: { kind: 'created', exitCode: 0 },
};
let folder: string;
let store: RecordStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hull-records-'));
  store = new RecordStore(join(folder, 'containers'));
});
afterEach(async () => await rm(folder, { recursive: true }));

test('what is written is read again, and absent after its removal, twice', async () => {
  await store.write(record);
  expect(await store.readAll()).toEqual([{ id, record: JSON.parse(JSON.stringify(record)) }]);
  await store.remove(id);
  await store.remove(id);
  expect(await store.readAll()).toEqual([]);
});

test.each(['', '{"format": 1, "i', '[]', '{"format":2}'])(
  'the damage %j is told and harms nothing else',
  async (text) => {
    const other = { ...record, id: '0b'.repeat(32), name: 'two' };
    await store.write(record);
    await store.write(other);
    await writeFile(join(store.folder(id), 'container.json'), text);
    const found = await store.readAll();
    expect(found.find((one) => one.id === id)).toHaveProperty('damage');
    expect(found.find((one) => one.id === other.id)).toHaveProperty('record');
  },
);

test('a folder without a record is neither a container nor damage', async () => {
  await store.write(record);
  await rm(join(store.folder(id), 'container.json'));
  expect(await store.readAll()).toEqual([{ id, unborn: true }]);
});

test('what a killed writer left beside a record goes', async () => {
  await store.write(record);
  await writeFile(join(store.folder(id), '.container.json.0123456789ab.tmp'), '{');
  await store.readAll();
  expect(await readdir(store.folder(id))).toEqual(['container.json']);
});

const run = { exitCode: 3, startedAt: 'then', finishedAt: 'later', oomKilled: false };
const exited: ContainerRecord = { ...record, state: { kind: 'exited', ...run } };

test('one that was begun is half-made until it is finished, and nothing where its record was lost', async () => {
  await store.begin(record);
  expect(await store.readAll()).toEqual([{ id, record: { ...record, state: { kind: 'creating' } } }]);
  await store.finish(record);
  expect(await store.readAll()).toEqual([{ id, record }]);
  await store.remove(id);
  await store.begin(record);
  await writeFile(join(store.folder(id), 'creating.json'), '');
  expect(await store.readAll()).toEqual([{ id, unborn: true }]);
});

test('what was written last counts; a power cut that emptied it finds the one that was flushed', async () => {
  await store.write(record);
  store.writeSoon(exited);
  expect(await new RecordStore(store.root).readAll()).toEqual([{ id, record: exited }]);
  await writeFile(join(store.folder(id), 'container.json'), '');
  expect(await new RecordStore(store.root).readAll()).toEqual([{ id, record }]);
});

test('after the flush there is nothing to fall back on, and nothing is flushed that was removed', async () => {
  await store.write(record);
  store.writeSoon(exited);
  await store.flush();
  expect(await readdir(store.folder(id))).toEqual(['container.json']);
  store.writeSoon(record);
  store.writeSoon(exited);
  await store.remove(id);
  await store.flush();
  expect(await store.readAll()).toEqual([]);
});

test.each([true, false])(
  'the intent to remove it (with volumes: %s) lasts until it is taken back',
  async (volumes) => {
    await store.write(exited);
    store.writeSoon({ ...exited, state: { kind: 'removing', volumes, last: run } });
    const again = new RecordStore(store.root);
    expect(await again.readAll()).toEqual([
      { id, record: { ...exited, state: { kind: 'removing', volumes, last: run } } },
    ]);
    await again.write(exited);
    expect(await again.readAll()).toEqual([{ id, record: exited }]);
    expect(await readdir(again.folder(id))).toEqual(['container.json']);
  },
);

test('what could not be flushed is told, and the flushed one stays to fall back on', async () => {
  const told: string[] = [];
  const failing = new RecordStore(store.root, (path) => told.push(path));
  await failing.write(record);
  failing.writeSoon(exited);
  const path = join(failing.folder(id), 'container.json');
  await rm(path);
  // fsync(2) of a link in a circle: ELOOP at its open.
  await symlink('container.json', path);
  await failing.flush();
  expect(told).toEqual([path]);
  expect((await readdir(failing.folder(id))).sort()).toEqual(['container.flushed.json', 'container.json']);
});

test('what is small of a removed one goes in the moment after, or with the next start', async () => {
  await store.readAll();
  const removing = join(folder, 'containers.removing');
  await store.write(record);
  await store.remove(id);
  // At once: the moment after may come at the next turn.
  expect(readdirSync(removing)).toEqual([id]);
  await store.flush();
  expect(await readdir(removing)).toEqual([]);
  await store.write(record);
  await store.remove(id);
  expect(await new RecordStore(store.root).readAll()).toEqual([]);
  expect(await readdir(removing)).toEqual([]);
  await store.write(record);
  await writeFile(join(store.folder(id), 'log'), Buffer.alloc(100_000));
  await store.remove(id);
  expect(await readdir(removing)).toEqual([]);
});

const transient: ContainerRecord = {
  ...record,
  config: { ...record.config, HostConfig: { ...record.config.HostConfig, AutoRemove: true } },
};

test('a transient one is told by the name of its record, and never flushed', async () => {
  const told: string[] = [];
  const own = new RecordStore(store.root, (path) => told.push(path));
  await own.begin(transient);
  expect(await readdir(own.folder(id))).toEqual(['creating.json']);
  await own.finish(transient);
  own.writeSoon({ ...transient, error: 'one' });
  await own.write({ ...transient, error: 'two' });
  expect(await readdir(own.folder(id))).toEqual(['transient.json']);
  expect(await new RecordStore(own.root).readAll()).toEqual([{ id, record: { ...transient, error: 'two' } }]);
  const path = join(own.folder(id), 'transient.json');
  await rm(path);
  // fsync(2) of a link in a circle: ELOOP at its open, which would be told.
  await symlink('transient.json', path);
  await own.flush();
  await own.remove(id, { transient: true });
  expect(told).toEqual([]);
  expect(await own.readAll()).toEqual([]);
});

test.each([
  ['nothing', []],
  ['an empty intent', ['creating.json']],
  ['an empty record', ['transient.json']],
  ['an empty record that is being removed', ['transient.json', 'removing-volumes']],
] as const)('what a power cut leaves of a transient one, %s, is as good as none', async (_, names) => {
  await store.begin(transient);
  await rm(join(store.folder(id), 'creating.json'));
  for (const name of names) await writeFile(join(store.folder(id), name), '');
  expect(await store.readAll()).toEqual([{ id, unborn: true }]);
});

test('one that has volumes is not transient: it knows which go with it', async () => {
  const point = {
    type: 'volume',
    name: 'v',
    destination: '/v',
    source: '/v',
    readOnly: false,
    mode: '',
    anonymous: true,
    copy: true,
    subpath: '',
  } as const;
  await store.begin({ ...transient, mounts: [point] });
  await store.finish({ ...transient, mounts: [point] });
  expect(await readdir(store.folder(id))).toEqual(['container.json']);
});

test('a waiter sees a state that lasts only for one change', async () => {
  const container = new Container(record, store);
  const seen = container.until(({ state }) => isAlive(state));
  const alive = { pid: 1, monitorPid: 2, startTicks: '3', startedAt: '', bootId: '', attempt: 0 };
  await container.update({ state: { kind: 'running', ...alive } });
  await container.update({ state: { kind: 'created', exitCode: 0 } });
  await seen;
  expect(container.ends).toBe(1);
  await expect(container.until(() => false, AbortSignal.timeout(5))).rejects.toThrow(/timeout/);
});

test('a name is taken from its reservation on, an id is found by any start that is its own', async () => {
  const table = new ContainerTable();
  const undo = table.reserveName('one', 'x');
  expect(() => table.reserveName('one', 'y')).toThrow(expect.objectContaining({ kind: 'conflict' }));
  undo();
  const other = { ...record, id: `0a${'ff'.repeat(31)}`, name: 'two' };
  table.add(new Container(record, store));
  table.add(new Container(other, store));
  expect(table.get('/one').id).toBe(id);
  expect(table.get('0a0').id).toBe(id);
  expect(() => table.get('0a')).toThrow(expect.objectContaining({ kind: 'conflict' }));
  expect(() => table.get('three')).toThrow(expect.objectContaining({ kind: 'not-found' }));
});
