import { z } from 'zod';
import { HullError } from '../base/errors.ts';
import { refuseNul } from '../containers/refuse-nul.ts';
import { text } from '../containers/resource-fields.ts';
import type { VolumeWish } from '../volumes/volume.ts';

/** The body of POST /volumes/create; none at all is a volume that nobody named. Kind `invalid` names the field. */
export function parseVolumeRequest(body: unknown): VolumeWish {
  refuseNul('create a volume', body);
  const parsed = request.safeParse(body ?? {});
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new HullError(
      `Cannot create a volume: ${issue?.path.map(String).join('.') || 'the body'}: ${issue?.message ?? 'does not fit'}`,
      { kind: 'invalid' },
    );
  }
  const { Name, Driver, DriverOpts, Labels } = parsed.data;
  return { name: Name || undefined, driver: Driver, options: DriverOpts, labels: Labels };
}

const texts = z
  .record(z.string(), z.string())
  .nullish()
  .transform((value) => value ?? {});

const request = z.strictObject({
  Name: text,
  Driver: text,
  DriverOpts: texts,
  Labels: texts,
  ClusterVolumeSpec: z.null({ error: 'hull has no cluster volumes' }).optional(),
});
