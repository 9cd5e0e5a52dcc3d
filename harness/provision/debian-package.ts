/** A package as hosts.yaml names it: `nftables`, or `contrib/zfs-dkms` where it is in another component of the archive than main. */
export const debianPackage = /^(?:(contrib|non-free|non-free-firmware)\/)?([a-z0-9][a-z0-9.+-]+)$/;

export interface DebianPackages {
  /** Sorted, each once. */
  readonly names: readonly string[];
  /** Components of the archive that have them, `main` first. */
  readonly components: readonly string[];
}

/** Throws where a word is no package. */
export function parsePackages(words: readonly string[]): DebianPackages {
  const found = words.map((word) => {
    const [, component = 'main', name] = debianPackage.exec(word) ?? [];
    if (name !== undefined) return { component, name };
    throw new Error(
      `Cannot use package ${JSON.stringify(word)}: wanted a name, with its component where that is not main: contrib/zfs-dkms`,
    );
  });
  const others = new Set(found.map(({ component }) => component)).difference(new Set(['main']));
  return {
    names: [...new Set(found.map(({ name }) => name))].sort(),
    components: ['main', ...[...others].sort()],
  };
}
