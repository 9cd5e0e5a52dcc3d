import { z } from 'zod';

/** A number that a client may leave out, or send as null; 0 means the same. */
export const count = z
  .int()
  .nullish()
  .transform((value) => value ?? 0);

/** The same for text, and ''. */
export const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '');

const list = <T extends z.ZodType>(item: T) =>
  z
    .array(item)
    .nullish()
    .transform((value) => value ?? []);

const rates = list(z.object({ Path: z.string(), Rate: z.int().min(0) }));

/** HostConfig's limits (Docker Engine API, "Resources"): those that an update may change as well. */
export const resourceFields = {
  Memory: count,
  MemorySwap: count,
  MemoryReservation: count,
  NanoCpus: count,
  CpuShares: count,
  CpuQuota: count,
  CpuPeriod: count,
  CpuRealtimePeriod: count,
  CpuRealtimeRuntime: count,
  CpusetCpus: text,
  CpusetMems: text,
  BlkioWeight: count,
  BlkioWeightDevice: list(z.object({ Path: z.string(), Weight: z.int() })),
  BlkioDeviceReadBps: rates,
  BlkioDeviceWriteBps: rates,
  BlkioDeviceReadIOps: rates,
  BlkioDeviceWriteIOps: rates,
};

export const restartPolicy = z
  .object({
    Name: z.enum(['', 'no', 'always', 'unless-stopped', 'on-failure'], {
      error: 'wanted no, always, unless-stopped or on-failure',
    }),
    MaximumRetryCount: z.int().min(0).nullish(),
  })
  .partial({ Name: true })
  .nullish();
