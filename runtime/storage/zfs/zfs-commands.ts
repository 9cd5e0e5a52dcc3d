import type { MountSpec } from '../../kernel/mount-spec.ts';
import { isShortKey } from '../short-keys.ts';

/** On every dataset of a layer, with its id as value: for people, whose `zfs list` shows keys. */
const layerProperty = 'hull:layer';

/** Arguments of `zfs` for what the driver does. zfs(8) */
export class ZfsNames {
  /** The dataset that all the layers' are in, and nothing else: others below the same parent are never touched. */
  readonly storage: string;

  constructor(storage: string) {
    this.storage = storage;
  }

  dataset(key: string): string {
    return `${this.storage}/${key}`;
  }

  /** What a child starts from; it goes with the child. */
  snapshot(parentKey: string, key: string): string {
    return `${this.dataset(parentKey)}@${key}`;
  }

  /** Layers inherit all of it. `legacy` leaves mounting to mount(2): nothing is mounted in the host's namespace. */
  createStorage(): readonly string[] {
    const properties = [
      'mountpoint=legacy',
      'xattr=sa',
      'acltype=posixacl',
      'atime=on',
      'relatime=on',
      'com.sun:auto-snapshot=false',
    ];
    return ['create', ...properties.flatMap((property) => ['-o', property]), this.storage];
  }

  create(id: string, key: string, size: number | undefined): readonly string[] {
    return ['create', ...properties(id, size), this.dataset(key)];
  }

  /** In this order. */
  clone(
    id: string,
    key: string,
    parentKey: string,
    size: number | undefined,
  ): readonly (readonly string[])[] {
    const snapshot = this.snapshot(parentKey, key);
    return [
      ['snapshot', snapshot],
      ['clone', ...properties(id, size), snapshot, this.dataset(key)],
    ];
  }

  destroy(key: string): readonly string[] {
    return ['destroy', '-r', this.dataset(key)];
  }

  /** Where somebody else holds or cloned it, it goes by itself with the last of them (`-d`). */
  destroySnapshot(parentKey: string, key: string): readonly string[] {
    return ['destroy', '-d', this.snapshot(parentKey, key)];
  }

  list(): readonly string[] {
    return ['list', '-H', '-r', '-d', '2', '-t', 'filesystem,snapshot', '-o', 'name', this.storage];
  }

  /** What there is of us in the answer of `list`: keys of layers, and of what children started from. */
  parseList(text: string): {
    readonly keys: readonly string[];
    readonly snapshots: readonly { readonly parentKey: string; readonly key: string }[];
  } {
    const names = text
      .split('\n')
      .filter((name) => name.startsWith(`${this.storage}/`))
      .map((name) => name.slice(this.storage.length + 1).split('@'));
    return {
      keys: names.flatMap(([key = '', snapshot]) => (snapshot === undefined && isShortKey(key) ? [key] : [])),
      snapshots: names.flatMap(([parentKey = '', key = '']) =>
        isShortKey(parentKey) && isShortKey(key) ? [{ parentKey, key }] : [],
      ),
    };
  }

  mount(key: string): MountSpec {
    return { type: 'zfs', source: this.dataset(key), target: '', options: [] };
  }
}

/** `refquota` is of what it refers to, its parent's blocks included; snapshots that children start from do not count. */
function properties(id: string, size: number | undefined): readonly string[] {
  const limit = size === undefined ? [] : ['-o', `refquota=${size}`];
  return ['-o', `${layerProperty}=${id}`, ...limit];
}

/** The name of a dataset that a user may give: `tank/hull`. zfs(8) */
export function isDatasetName(text: string): boolean {
  return /^[A-Za-z][A-Za-z0-9_.: -]*(?:\/[A-Za-z0-9_.:-][A-Za-z0-9_.: -]*)*$/.test(text) && text.length < 200;
}
