import { glob } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type CollectedScenario, Recorder, whileRecording } from './recorder.ts';

/**
 * The scenarios below `folder`, in the order they run (by area, file, and place in the file), without running any.
 * Throws where a file cannot be imported or two scenarios of an area have the same name.
 */
export async function collectScenarios(folder: string): Promise<readonly CollectedScenario[]> {
  const files = await Array.fromAsync(glob('*/*.scenario.ts', { cwd: folder }));
  const recorder = new Recorder();
  await whileRecording(recorder, async () => {
    for (const file of files.sort()) {
      const path = join(folder, file);
      recorder.open({ area: basename(dirname(path)), file: path });
      await import(pathToFileURL(path).href);
    }
  });
  return recorder.scenarios;
}
