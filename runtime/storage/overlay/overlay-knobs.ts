import { access } from 'node:fs/promises';
import { run } from '../../base/command.ts';

const knobs = ['index', 'redirect_dir', 'metacopy'] as const;

/**
 * The mount options that are switched off where the kernel knows them (index and redirect_dir since 4.13 and 4.10,
 * metacopy since 4.19): a distribution may have built them in as on, and then a layer could not be read by
 * another kernel, nor its upper folder as a diff. The module's parameters are named as the options are.
 */
export async function overlayKnobs(): Promise<readonly string[]> {
  const parameters = '/sys/module/overlay/parameters';
  if (!(await exists(parameters))) await run('modprobe', ['overlay']).catch(() => undefined);
  const known = await Promise.all(knobs.map((name) => exists(`${parameters}/${name}`)));
  return knobs.filter((_, index) => known[index]).map((name) => `${name}=off`);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
