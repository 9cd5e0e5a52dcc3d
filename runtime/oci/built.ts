/** What the built command line begins with: `scripts/hull-oci` makes one file of it. */
import { openArtefact, readOrigin } from './artefact.ts';
import { ociMain } from './main.ts';

const args = process.argv.slice(2);
const origin = readOrigin(import.meta.dirname);
const artefact = openArtefact(import.meta.dirname, origin);
void main();

async function main(): Promise<void> {
  if (!artefact.isCurrent()) {
    const { becomeAnew } = await import('./become-anew.ts');
    becomeAnew(origin.make, args);
  }
  process.exit(await call());
}

async function call(): Promise<number> {
  if (args[0] === 'resident') {
    const { residentCommand } = await import('./resident/resident-command.ts');
    return await residentCommand(artefact, args.slice(1));
  }
  if (args[0] === 'warm-up') {
    const { warmUp } = await import('./warm-up.ts');
    return await warmUp();
  }
  return await ociMain(args);
}
