import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

// Types stripped and code compiled once: a start costs a third of the time. In the checkout, where only its owner writes.
enableCompileCache(join(import.meta.dirname, '../../node_modules/.cache/hull-oci-sources'));
const { ociMain } = await import('./main.ts');
process.exit(await ociMain(process.argv.slice(2)));
