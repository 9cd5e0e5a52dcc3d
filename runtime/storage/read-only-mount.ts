import type { MountSpec } from '../kernel/mount-spec.ts';

/**
 * The same tree to be read only. An overlay gets its upper folder as one more lower one: what others have as a lower folder is never an
 * upper one at the same time, and nothing is written to the work folder. An aufs only reads its first branch, too, and so
 * does not put its own files there.
 */
export function readOnlyMount(mount: MountSpec): MountSpec {
  const { type, options, cwd } = mount;
  const value = (name: string) => options.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
  const [upper, lower] = [value('upperdir'), value('lowerdir')];
  if (type === 'aufs') {
    return {
      ...mount,
      options: [...options.map((word) => word.replace(/^(br:[^:]+)=rw/, '$1=ro+wh')), 'ro'],
    };
  }
  if (type !== 'overlay' || upper === undefined || lower === undefined) {
    return { ...mount, options: [...options, 'ro'] };
  }
  const path = upper.replace(/\\(.)/g, '$1');
  const inside = cwd !== undefined && path.startsWith(`${cwd}/`) ? path.slice(cwd.length + 1) : path;
  const own = inside.replace(/[\\,:]/g, '\\$&');
  const others = options.filter((word) => !/^(?:upper|lower|work)dir=/.test(word));
  return { ...mount, options: [`lowerdir=${own}:${lower}`, ...others] };
}
