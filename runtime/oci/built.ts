/** What the built command line begins with: `scripts/hull-oci` makes one file of it. */
import { openArtefact, readOrigin } from './artefact.ts';
import { ociMain } from './main.ts';

/** Of the executable (`scripts/hull-oci/alone.cjs`), where the code that this call runs is to be kept for the next one. */
declare const keepCode: (() => void) | undefined;

const args = process.argv.slice(2);
const origin = readOrigin(import.meta.dirname);
const artefact = openArtefact(import.meta.dirname, origin);
void main();

async function main(): Promise<void> {
  if (!artefact.isCurrent()) {
    const { becomeAnew } = await import('./become-anew.ts');
    becomeAnew(origin.make, args);
  }
  const status = await call();
  // Of a call that went wrong the code is of little use.
  if (status === 0) keepCode?.();
  process.exit(status);
}

async function call(): Promise<number> {
  if (args[0] === 'resident') {
    const { residentCommand } = await import('./resident/resident-command.ts');
    return await residentCommand(artefact, args.slice(1));
  }
  return await ociMain(args);
}
