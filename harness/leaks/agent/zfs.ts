import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { promisify } from 'node:util';
import type { Thing } from './thing.ts';

const kernelPools = '/proc/spl/kstat/zfs';
const answerMs = 10_000;

/** Datasets, volumes and snapshots of every pool. Only `zfs` can name them: it is started where the kernel has a pool, and nowhere else. */
export class ZfsDatasets {
  unavailable: string | undefined;

  /** Ask first and read later, as with nft. */
  async look(): Promise<Thing[]> {
    this.unavailable = undefined;
    if (!hasPool()) return [];
    const words = ['list', '-H', '-t', 'all', '-o', 'name,type'];
    const asked = promisify(execFile)('zfs', words, { timeout: answerMs, maxBuffer: 2 ** 26 });
    return await asked.then(
      ({ stdout }) => datasetThings(stdout),
      (error: Error) => {
        this.unavailable = error.message.trim();
        return [];
      },
    );
  }
}

function hasPool(): boolean {
  try {
    return readdirSync(kernelPools, { withFileTypes: true }).some((entry) => entry.isDirectory());
  } catch {
    return false;
  }
}

/** `zfs list -H -o name,type`: a line for each, with a tab between. */
export function datasetThings(text: string): Thing[] {
  return text.split('\n').flatMap((line): Thing[] => {
    const [name = '', type = ''] = line.split('\t');
    return name === '' ? [] : [{ kind: 'zfs', id: name, like: name, what: `${name} (${type})` }];
  });
}
