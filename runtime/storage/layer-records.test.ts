import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type LayerRecord, LayerRecords } from './layer-records.ts';

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'hull-records-'));
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
}

function layer(id: string, depth: number, parent?: string): LayerRecord {
  return { version: 1, id, state: 'ready', key: id.toUpperCase(), depth, ...(parent ? { parent } : {}) };
}

it('what was put is there after opening again, what was deleted is not', async () => {
  const path = await folder();
  const records = await LayerRecords.open(path);
  await records.put(layer('a', 1));
  await records.put(layer('b', 2, 'a'));
  await records.put(layer('c', 3, 'b'));
  await records.put(layer('gone', 1));
  await records.delete('gone');
  const again = await LayerRecords.open(path);
  expect([...again.all()].sort((one, other) => one.depth - other.depth)).toEqual([
    layer('a', 1),
    layer('b', 2, 'a'),
    layer('c', 3, 'b'),
  ]);
  expect(again.chain(layer('c', 3, 'b')).map(({ id }) => id)).toEqual(['c', 'b', 'a']);
  expect(again.children('a').map(({ id }) => id)).toEqual(['b']);
});

it('the intent to remove lasts', async () => {
  const path = await folder();
  const records = await LayerRecords.open(path);
  await records.put(layer('a', 1));
  await records.markRemoving(layer('a', 1));
  const again = await LayerRecords.open(path);
  expect(again.all()).toEqual([{ ...layer('a', 1), state: 'removing' }]);
  await again.delete('a');
  expect(await readdir(path)).toEqual([]);
});

const transient = (id: string): LayerRecord => ({ ...layer(id, 1), transient: true });

it.each([true, false])('a transient one is told by its name (flushed intents: %s)', async (flushes) => {
  const path = await folder();
  const records = await LayerRecords.open(path);
  records.flushesIntents = flushes;
  await records.put({ ...transient('a'), state: 'creating' });
  expect((await LayerRecords.open(path)).all()).toEqual([{ ...transient('a'), state: 'creating' }]);
  await records.put(transient('a'));
  expect(await readdir(path)).toEqual(['a.json.transient']);
  expect((await LayerRecords.open(path)).all()).toEqual([transient('a')]);
  await records.markRemoving(transient('a'));
  const again = await LayerRecords.open(path);
  expect(again.all()).toEqual([{ ...transient('a'), state: 'removing' }]);
  await again.delete('a');
  expect(await readdir(path)).toEqual([]);
});

it.each(['creating', 'transient', 'transient.removing'])(
  'what a power cut has emptied of a transient one (%s) is as good as none',
  async (ending) => {
    const path = await folder();
    await writeFile(join(path, `a.json.${ending}`), '');
    const records = await LayerRecords.open(path);
    expect([records.all(), records.damaged]).toEqual([[], []]);
    expect(await readdir(path)).toEqual([]);
  },
);

it.each([
  ['empty', ''],
  ['cut', '{"version":1,"id":"x","sta'],
  ['of another version', JSON.stringify({ ...layer('x', 1), version: 2 })],
  ['under another name', JSON.stringify(layer('y', 1))],
])('a record that is %s is set aside and known as damaged until it is deleted', async (_, text) => {
  const path = await folder();
  await writeFile(join(path, 'x.json'), text);
  expect((await LayerRecords.open(path)).damaged).toEqual(['x']);
  const again = await LayerRecords.open(path);
  expect(again.all()).toEqual([]);
  expect(again.damaged).toEqual(['x']);
  await again.delete('x');
  expect(again.damaged).toEqual([]);
  expect(await readdir(path)).toEqual([]);
});
