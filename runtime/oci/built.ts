/** What the built command line begins with: `scripts/hull-oci` makes one file of it. */
import { exitAtOnce } from '../sys/process.ts';
import { openArtefact, readOrigin } from './artefact.ts';
import { ociMain } from './main.ts';

/** Of the executable (`scripts/hull-oci/alone.cjs`), where the code that this call runs is to be kept for the next one. */
declare const keepCode: (() => void) | undefined;
/** Whether somebody has looked at the sources already: the client (`resident/compile-client.ts`). */
declare const isFresh: boolean;

const args = process.argv.slice(2);
const folder = import.meta.dirname;
void main();

async function main(): Promise<void> {
  const origin = isFresh ? undefined : readOrigin(folder);
  if (origin && !openArtefact(folder, origin).isCurrent()) {
    const { becomeAnew } = await import('./become-anew.ts');
    becomeAnew(origin.make, args);
  }
  const status = await call();
  // Of a call that went wrong the code is of little use.
  if (status === 0) keepCode?.();
  exitAtOnce(status);
}

async function call(): Promise<number> {
  if (args[0] === 'resident') {
    const { residentCommand } = await import('./resident/resident-command.ts');
    return await residentCommand(openArtefact(folder, readOrigin(folder)), args.slice(1));
  }
  return await ociMain(args);
}
