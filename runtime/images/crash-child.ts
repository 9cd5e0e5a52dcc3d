// For the crash test: loads an archive into a store until it is killed. Arguments: driver, data root, exec root, archive.
import { createReadStream } from 'node:fs';
import { openDriver } from '../storage/open-driver.ts';
import { openImageStore } from './open-image-store.ts';

const [name, dataRoot = '', execRoot = '', archive = ''] = process.argv.slice(2);
const { driver } = await openDriver(name, { dataRoot, execRoot });
await driver.reconcile(new Set());
const store = await openImageStore({ root: `${dataRoot}/images`, driver });
await store.reconcile();
process.stdout.write('open\n');
for await (const _ of store.load(createReadStream(archive)));
process.stdout.write('loaded\n');
