import { Command } from 'commander';
import { defaultCacheDir } from '../hosts/cache.ts';
import { createProviders } from '../hosts/providers.ts';
import { reapRuns } from './run-folder.ts';

/** `seatrial reap`: removes what runs left whose harness died. Every run does the same at its start. */
export function reapCommand(): Command {
  return new Command('reap')
    .description('Removes what earlier runs left whose harness was killed.')
    .action(async () => {
      const progress = (message: string) => console.log(message);
      const removed: string[] = [];
      for (const provider of createProviders().values()) {
        removed.push(...(await provider.reap({ cacheDir: defaultCacheDir(), progress })));
      }
      removed.push(...(await reapRuns(defaultCacheDir())));
      for (const what of removed) console.log(`removed ${what}`);
      if (removed.length === 0) console.log('nothing to remove');
    });
}
