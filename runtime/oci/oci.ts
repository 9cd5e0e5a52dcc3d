import { ociMain } from './main.ts';

process.exit(await ociMain(process.argv.slice(2)));
