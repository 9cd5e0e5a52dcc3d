import type { StoredVolume } from '../volumes/volume-record.ts';

/** Docker Engine API, "Volume". */
export function volumeView({ name, createdAt, labels, options, mountPoint, damage }: StoredVolume): object {
  const orNull = (texts: Readonly<Record<string, string>>) => (Object.keys(texts).length > 0 ? texts : null);
  return {
    CreatedAt: createdAt,
    Driver: 'local',
    Labels: orNull(labels),
    Mountpoint: mountPoint,
    Name: name,
    Options: orNull(options),
    Scope: 'local',
    ...(damage === undefined ? {} : { Status: { error: damage } }),
  };
}
