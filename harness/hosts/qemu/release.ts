/** Debian's releases by number and name; `sid` has no number. */
const releases = { 10: 'buster', 11: 'bullseye', 12: 'bookworm', 13: 'trixie', 14: 'forky' } as const;
const names: readonly string[] = [...Object.values(releases), 'sid'];

/** `bullseye` for `11` and for `bullseye`. */
export function debianSuite(release: string): string {
  const suite = Object.entries(releases).find(([number]) => number === release)?.[1] ?? release;
  if (names.includes(suite)) return suite;
  const wanted = `${Object.keys(releases).join(', ')}, ${names.join(', ')}`;
  throw new Error(
    `Cannot build a Debian guest: found release ${JSON.stringify(release)}, wanted one of ${wanted}`,
  );
}
