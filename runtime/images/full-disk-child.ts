// For the test of a full disk, run in a private mount namespace with a small tmpfs at the folder: loads a large image, which fails, then
// a small one. Arguments: driver, folder, large archive, small archive. Prints one line of JSON.
import { createReadStream } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { codeOf, HullError } from '../base/errors.ts';
import { openDriver } from '../storage/open-driver.ts';
import { openImageStore } from './open-image-store.ts';

const [name, folder = '', large = '', small = ''] = process.argv.slice(2);
const { driver } = await openDriver(name, { dataRoot: `${folder}/data`, execRoot: `${folder}/exec` });
await driver.reconcile(new Set());
const root = `${folder}/data/images`;
const store = await openImageStore({ root, driver });
await store.reconcile();
const load = async (archive: string): Promise<string> => {
  try {
    for await (const _ of store.load(createReadStream(archive)));
    return 'loaded';
  } catch (error) {
    if (error instanceof AggregateError) return `several: ${error.errors.map(String).join('; ')}`;
    return error instanceof HullError ? `${error.kind}: ${error.message}` : String(error);
  }
};
const first = await load(large);
const left = [
  ...(await driver.list()),
  ...(await readdir(`${root}/blobs/sha256`)),
  ...(await readdir(`${root}/layers`)),
  ...(await readdir(`${root}/spool`)),
];
const second = await load(small);
// To the last byte, so that removing has to make do with what the store has put aside.
const fill = await open(`${folder}/fill`, 'w');
let full = '';
for (const chunk of [1 << 20, 4096, 1]) {
  try {
    for (;;) await fill.write(Buffer.alloc(chunk, 1));
  } catch (error) {
    full = codeOf(error) ?? '';
  }
}
await fill.close();
const removed = (await store.remove('small:1', { force: false, usedBy: new Map() })).length;
const after = await driver.list();
await driver.close();
process.stdout.write(JSON.stringify({ first, left, second, full, removed, after }));
