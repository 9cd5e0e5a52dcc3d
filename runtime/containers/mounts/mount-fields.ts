import { z } from 'zod';
import { count, text } from '../resource-fields.ts';

const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false);
const texts = z
  .record(z.string(), z.string())
  .nullish()
  .transform((value) => value ?? {});
const maybe = <T extends z.ZodType>(fields: T) => fields.nullish().transform((value) => value ?? undefined);

/**
 * One of HostConfig.Mounts (Docker Engine API, "Mount"). What hull does not know in it is refused by name: it would change
 * what the container sees.
 */
export const mountFields = z.strictObject({
  Type: z.enum(['bind', 'volume', 'tmpfs'], { error: 'wanted "bind", "volume" or "tmpfs"' }),
  Source: text,
  Target: text,
  ReadOnly: flag,
  /** For file sharing into a virtual machine; here every mount is consistent. */
  Consistency: text,
  BindOptions: maybe(
    z.strictObject({
      Propagation: text,
      NonRecursive: flag,
      CreateMountpoint: flag,
      ReadOnlyNonRecursive: flag,
      ReadOnlyForceRecursive: flag,
    }),
  ),
  VolumeOptions: maybe(
    z.strictObject({
      NoCopy: flag,
      Labels: texts,
      DriverConfig: maybe(z.strictObject({ Name: text, Options: texts })),
      Subpath: text,
    }),
  ),
  TmpfsOptions: maybe(
    z.strictObject({
      SizeBytes: count,
      Mode: count,
      Options: z
        .array(z.array(z.string()).min(1).max(2))
        .nullish()
        .transform((value) => value ?? []),
    }),
  ),
  // Sent empty by newer clients.
  ImageOptions: z.null().optional(),
  ClusterOptions: z.null().optional(),
});

export type MountRequest = z.infer<typeof mountFields>;
