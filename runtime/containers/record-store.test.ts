import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
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

test('a waiter sees a state that lasts only for one change', async () => {
  const container = new Container(record, store);
  const seen = container.until(({ state }) => isAlive(state));
  const run = { pid: 1, monitorPid: 2, startTicks: '3', startedAt: '', bootId: '', attempt: 0 };
  await container.update({ state: { kind: 'running', ...run } });
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
