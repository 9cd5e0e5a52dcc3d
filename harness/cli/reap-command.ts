import { Command } from 'commander';
import { createProviders } from '../hosts/providers.ts';
import { cacheDir } from './project.ts';
import { reapRuns } from './run-folder.ts';

/** `seatrial reap`: removes what runs left whose harness died. Every run does the same at its start. */
export function reapCommand(): Command {
  return new Command('reap')
    .description('Removes what earlier runs left whose harness was killed.')
    .action(async () => {
      const progress = (message: string) => console.log(message);
      const removed: string[] = [];
      for (const provider of createProviders().values()) {
        removed.push(...(await provider.reap({ cacheDir: cacheDir(), progress })));
      }
      removed.push(...(await reapRuns(cacheDir())));
      for (const what of removed) console.log(`removed ${what}`);
      if (removed.length === 0) console.log('nothing to remove');
    });
}
