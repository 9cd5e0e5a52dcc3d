import { z } from 'zod';
import { HullError } from '../base/errors.ts';
import type { HostConfig } from './create-request.ts';
import { resourceFields, restartPolicy } from './resource-fields.ts';

const updateRequest = z.object({
  ...resourceFields,
  PidsLimit: z.int().nullish(),
  RestartPolicy: restartPolicy,
});

/** The fields that a client gives: what is absent, null, 0, '' or empty stays as it is. */
export type ResourceUpdate = Partial<
  Pick<HostConfig, keyof typeof resourceFields | 'PidsLimit' | 'RestartPolicy'>
>;

/**
 * The body of POST /containers/{id}/update. Other fields than these are refused by name when they carry a value. Kinds
 * `invalid`, `unsupported`.
 */
export function parseUpdateRequest(body: unknown): ResourceUpdate {
  const parsed = updateRequest.safeParse(Object(body));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new HullError(
      `Cannot update a container: ${issue?.path.map(String).join('.') || 'the body'}: ${issue?.message ?? 'does not fit'}`,
      { kind: 'invalid' },
    );
  }
  const unknown = Object.entries(Object(body)).find(
    ([name, value]) => !(name in updateRequest.shape) && !(name in ignored) && says(value),
  );
  if (unknown) {
    throw new HullError(
      `Cannot update a container: ${unknown[0]} cannot be changed by hull: found ${JSON.stringify(unknown[1])}`,
      { kind: 'unsupported' },
    );
  }
  const { PidsLimit, RestartPolicy, ...fields } = parsed.data;
  return {
    ...Object.fromEntries(Object.entries(fields).filter(([, value]) => says(value))),
    ...(typeof PidsLimit === 'number' ? { PidsLimit } : {}),
    ...(RestartPolicy?.Name
      ? {
          RestartPolicy: {
            Name: RestartPolicy.Name,
            MaximumRetryCount: RestartPolicy.MaximumRetryCount ?? 0,
          },
        }
      : {}),
  };
}

/** The client sends its whole resource structure: these say nothing here, or the kernel has no such limit any more. */
const ignored: Readonly<Record<string, true>> = {
  KernelMemory: true,
  MemorySwappiness: true,
  CpuCount: true,
  CpuPercent: true,
  IOMaximumIOps: true,
  IOMaximumBandwidth: true,
};

function says(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === 'object' && value !== null) return Object.values(value).some(says);
  return value !== undefined && value !== null && value !== 0 && value !== '' && value !== false;
}
