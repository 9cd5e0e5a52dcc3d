import type { ScenarioContext } from '../../harness/run/scenario.ts';

/** What a running container's root file system is made of, as the kernel tells it. */
export interface RootFacts {
  /** `overlay`, `ext4`, `xfs`, … */
  readonly type: string;
  /** It is a file system by itself, which lives as long as somebody keeps a mount of it; not a folder of the data root's. */
  readonly ownFileSystem: boolean;
  /** The block device that is mounted as the root, of this container alone: `/dev/mapper/x`. */
  readonly device: string | undefined;
  /** Words for mount(8) that show it once more, where it is a device or a dataset of its own: `-t zfs tank/hull/x`. */
  readonly mountable: string | undefined;
  /** The folder in the host that its changes are written to: overlay's upper folder, the first branch of an aufs of hull's, or the bound one. */
  readonly folder: string | undefined;
}

/** Of the container with this first process. */
export async function rootOf(t: ScenarioContext, pid: number): Promise<RootFacts> {
  // By mounts, not by stat, which tells each btrfs subvolume as a device of its own.
  const script = `findmnt -n -r -o MAJ:MIN,TARGET -T ${t.engine.dataRoot}; cat /proc/${pid}/mountinfo`;
  const [data = '', ...lines] = (await t.host.ok(['sh', '-c', script])).trim().split('\n');
  const [dataDevice, dataMount = '/'] = data.trim().split(/ +/);
  const roots = lines.map((line) => line.split(' ')).filter((fields) => fields[4] === '/');
  // The last one covers what may have been mounted there before.
  const fields = roots.at(-1) ?? [];
  const [type = '', source = '', superOptions = ''] = fields.slice(fields.indexOf('-') + 1);
  const ownFileSystem = fields[2] !== dataDevice;
  const upper = superOptions.split(',').find((option) => option.startsWith('upperdir='));
  const device = ownFileSystem && source.startsWith('/dev/') ? source : undefined;
  const bound = ownFileSystem ? undefined : `${dataMount === '/' ? '' : dataMount}${fields[3]}`;
  // Of an aufs mountinfo names no branch; its source is what the engine called it, and hull calls it by the first.
  const first = type === 'aufs' && source.startsWith('/') ? source : bound;
  const folder = upper === undefined ? first : await absolute(t, upper.slice('upperdir='.length));
  const mountable = type === 'zfs' ? `-t zfs ${source}` : device;
  return { type, ownFileSystem, device, mountable, folder };
}

/** Engines shorten overlay's options by mounting from within their data root; the kernel shows them as they were given. */
async function absolute(t: ScenarioContext, path: string): Promise<string> {
  if (path.startsWith('/')) return path;
  const wanted = `*/${path}`;
  return (await t.host.ok(['find', t.engine.dataRoot, '-type', 'd', '-path', wanted, '-prune'])).trim();
}
