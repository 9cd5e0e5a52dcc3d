import { HullError } from '../../base/errors.ts';
import { checkVolumeName } from '../../volumes/volume-name.ts';
import { cleanPath, cleanTarget, invalidMount, parseMode } from './mount-words.ts';
import type { WantedMount } from './parse-mount.ts';

/** One of HostConfig.Binds: `/host/path:/container/path[:ro,rslave,…]`, or a volume's name in the place of the host's path. */
export function parseBind(bind: string, driver: string): WantedMount & { readonly mode: string } {
  const parts = bind.split(':');
  const [source = '', target = '', mode = ''] = parts;
  // With two parts the second is a path: an anonymous volume has no mode, and is not asked for here.
  if (parts.length < 2 || parts.length > 3 || source === '' || (parts.length === 2 && isMode(target))) {
    throw invalidMount(
      `HostConfig.Binds: invalid volume specification: '${bind}', wanted "source:/container/path[:options]"`,
    );
  }
  const words = parseMode(mode);
  if (!words) throw invalidMount(`HostConfig.Binds: invalid mode: ${mode} (in '${bind}')`);
  const { readOnly, propagation, noCopy } = words;
  try {
    const destination = cleanTarget(target);
    if (source.startsWith('/')) {
      return {
        type: 'bind',
        destination,
        source: cleanPath(source),
        readOnly,
        mode,
        propagation: propagation ?? 'rprivate',
        nonRecursive: false,
        readOnlyBelow: 'if-possible',
        makeSource: true,
      };
    }
    if (propagation !== undefined) throw invalidMount('field BindOptions must not be specified');
    return {
      type: 'volume',
      destination,
      name: checkVolumeName(source),
      readOnly,
      // Docker's own mark on a local volume without a mode.
      mode: mode || 'z',
      copy: !noCopy,
      subpath: '',
      driver,
      labels: {},
      options: {},
    };
  } catch (error) {
    if (!(error instanceof HullError)) throw error;
    const reason = error.message.replace(/^Cannot create a container: /, '');
    throw invalidMount(`HostConfig.Binds: invalid volume specification: '${bind}': ${reason}`);
  }
}

const isMode = (text: string): boolean => text !== '' && parseMode(text) !== undefined;
