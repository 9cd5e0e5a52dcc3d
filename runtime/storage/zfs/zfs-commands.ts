import type { MountSpec } from '../../kernel/mount-spec.ts';

/** On every dataset of ours, with the storage's folder as value: another's below the same parent are never touched. */
export const ownerProperty = 'hull:home';

/** Arguments of `zfs` for what the driver does. zfs(8) */
export class ZfsNames {
  readonly parent: string;
  readonly #home: string;

  /** `parent` is the dataset that the layers' are in. */
  constructor(parent: string, home: string) {
    this.parent = parent;
    this.#home = home;
  }

  dataset(key: string): string {
    return `${this.parent}/${key}`;
  }

  /** What a child starts from; it goes with the child. */
  snapshot(parentKey: string, key: string): string {
    return `${this.dataset(parentKey)}@${key}`;
  }

  create(key: string, size: number | undefined): readonly string[] {
    return ['create', ...this.#properties(size), this.dataset(key)];
  }

  /** In this order. The snapshot is destroyed by itself when the clone is (`-d`). */
  clone(key: string, parentKey: string, size: number | undefined): readonly (readonly string[])[] {
    return [
      ['snapshot', this.snapshot(parentKey, key)],
      ['clone', ...this.#properties(size), this.snapshot(parentKey, key), this.dataset(key)],
    ];
  }

  destroy(key: string): readonly string[] {
    return ['destroy', '-r', this.dataset(key)];
  }

  destroySnapshot(parentKey: string, key: string): readonly string[] {
    return ['destroy', '-d', this.snapshot(parentKey, key)];
  }

  list(): readonly string[] {
    return [
      'list',
      '-H',
      '-p',
      '-r',
      '-d',
      '1',
      '-t',
      'filesystem',
      '-o',
      `name,${ownerProperty}`,
      this.parent,
    ];
  }

  /** Keys of our datasets in the answer of `list`. */
  parseList(text: string): readonly string[] {
    return text.split('\n').flatMap((line) => {
      const [name = '', owner] = line.split('\t');
      return owner === this.#home && name.startsWith(`${this.parent}/`)
        ? [name.slice(this.parent.length + 1)]
        : [];
    });
  }

  /** `legacy` leaves mounting to mount(2): nothing is mounted in the host's namespace. */
  mount(key: string): MountSpec {
    return { type: 'zfs', source: this.dataset(key), target: '', options: [] };
  }

  #properties(size: number | undefined): readonly string[] {
    const properties = [
      'mountpoint=legacy',
      'xattr=sa',
      'acltype=posixacl',
      `${ownerProperty}=${this.#home}`,
      // Of what it refers to, its parent's blocks included; snapshots that children start from do not count.
      ...(size === undefined ? [] : [`refquota=${size}`]),
    ];
    return properties.flatMap((property) => ['-o', property]);
  }
}
