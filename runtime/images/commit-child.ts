// For the crash test: commits a tar upon an image until it is killed. Arguments: driver, data root, exec root, parent, archive.
import { createReadStream } from 'node:fs';
import { openDriver } from '../storage/open-driver.ts';
import { commitImage } from './commit-image.ts';
import { openImageStore } from './open-image-store.ts';

const [name, dataRoot = '', execRoot = '', parent = '', archive = ''] = process.argv.slice(2);
const { driver } = await openDriver(name, { dataRoot, execRoot });
await driver.reconcile(new Set());
const store = await openImageStore({ root: `${dataRoot}/images`, driver });
await store.reconcile();
process.stdout.write('open\n');
await commitImage(store, {
  parent,
  changes: createReadStream(archive),
  config: { Cmd: ['/bin/new'] },
  container: 'c1',
  createdBy: 'test',
  author: '',
  comment: '',
  reference: { repository: 'committed', tag: '1' },
});
process.stdout.write('committed\n');
