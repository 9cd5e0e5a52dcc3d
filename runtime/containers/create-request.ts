import { z } from 'zod';
import { HullError } from '../base/errors.ts';
import { consoleSize } from './console-size.ts';
import { mountFields } from './mounts/mount-fields.ts';
import { refuseNul } from './refuse-nul.ts';
import { count, resourceFields, restartPolicy, text } from './resource-fields.ts';

/**
 * The body of POST /containers/create (Docker Engine API 1.43), as far as hull acts on it. A field that hull does
 * not act on is refused by name when it carries a value, because ignoring it would change what the container does;
 * the command-line client sends all of them, empty.
 */
export function parseCreateRequest(body: unknown): CreateRequest {
  refuseNul('create a container', body);
  const parsed = createRequest.safeParse({ ...Object(body), HostConfig: Object(body).HostConfig ?? {} });
  if (parsed.success) {
    refuseUnknown('', body, createRequest.shape, ignoredTop);
    refuseUnknown('HostConfig.', Object(body).HostConfig, hostConfigFields.shape, ignoredHost);
    return parsed.data;
  }
  const issue = parsed.error.issues[0];
  const field = issue?.path.map(String).join('.') || 'the body';
  throw new HullError(`Cannot create a container: ${field}: ${issue?.message ?? 'does not fit'}`, {
    kind: 'invalid',
  });
}

export type CreateRequest = z.infer<typeof createRequest>;
export type HostConfig = CreateRequest['HostConfig'];

const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false);
const texts = z
  .array(z.string())
  .nullish()
  .transform((value) => value ?? []);
const command = z
  .union([z.array(z.string()), z.string().transform((one) => [one])])
  .nullish()
  .transform((value) => value ?? undefined);
const labels = z
  .record(z.string(), z.string())
  .nullish()
  .transform((value) => value ?? {});
const keys = z
  .record(z.string(), z.unknown())
  .nullish()
  .transform((value) => Object.keys(value ?? {}));

const hostConfigFields = z.object({
  ...resourceFields,
  MemorySwappiness: z.int().nullish(),
  PidsLimit: count,
  OomKillDisable: flag,
  OomScoreAdj: z.int().min(-1000).max(1000).nullish(),
  Binds: texts,
  Tmpfs: labels,
  Mounts: z
    .array(mountFields)
    .nullish()
    .transform((value) => value ?? []),
  VolumesFrom: texts,
  VolumeDriver: text,
  StorageOpt: labels,
  ShmSize: count,
  ConsoleSize: consoleSize,
  AutoRemove: flag,
  RestartPolicy: restartPolicy.transform((value) => ({
    Name: value?.Name || 'no',
    MaximumRetryCount: value?.MaximumRetryCount ?? 0,
  })),
  Devices: z
    .array(z.object({ PathOnHost: z.string(), PathInContainer: text, CgroupPermissions: text }))
    .nullish()
    .transform((value) => value ?? []),
  DeviceCgroupRules: texts,
  CapAdd: texts,
  CapDrop: texts,
  Privileged: flag,
  ReadonlyRootfs: flag,
  Ulimits: z
    .array(z.object({ Name: z.string(), Soft: z.int(), Hard: z.int() }))
    .nullish()
    .transform((value) => value ?? []),
  Sysctls: labels,
  GroupAdd: texts,
  NetworkMode: text,
  PidMode: text,
  IpcMode: text,
  UTSMode: text,
  CgroupnsMode: text,
  CgroupParent: text,
  SecurityOpt: texts,
  MaskedPaths: z.array(z.string()).nullish(),
  ReadonlyPaths: z.array(z.string()).nullish(),
});

const createRequest = z.object({
  Hostname: text,
  Domainname: text,
  User: text,
  AttachStdin: flag,
  AttachStdout: flag,
  AttachStderr: flag,
  Tty: flag,
  OpenStdin: flag,
  StdinOnce: flag,
  Env: texts,
  Cmd: command,
  Entrypoint: command,
  Image: z.string({ error: 'wanted the name of an image' }).min(1, 'wanted the name of an image'),
  WorkingDir: text,
  Labels: labels,
  StopSignal: text,
  StopTimeout: z
    .int()
    .nullish()
    .transform((value) => value ?? undefined),
  ExposedPorts: keys,
  Volumes: keys,
  HostConfig: hostConfigFields,
});

/** What says nothing about how the container runs here: metadata, the client's own business, Windows. */
const ignoredTop: ReadonlySet<string> = new Set([
  // Query parameters that client libraries repeat in the body.
  'name',
  'platform',
  'ArgsEscaped',
  'NetworkDisabled',
  'NetworkingConfig',
  'OnBuild',
  'Shell',
]);
const ignoredHost: ReadonlySet<string> = new Set([
  'ContainerIDFile',
  'LogConfig',
  'CpuCount',
  'CpuPercent',
  'IOMaximumIOps',
  'IOMaximumBandwidth',
  'Isolation',
]);

function refuseUnknown(prefix: string, given: unknown, shape: object, ignored: ReadonlySet<string>): void {
  const found = Object.entries(Object(given)).find(
    ([key, value]) => !(key in shape) && !ignored.has(key) && !isEmpty(value),
  );
  if (!found) return;
  throw new HullError(
    `Cannot create a container: ${prefix}${found[0]} is not supported by hull: found ${JSON.stringify(found[1])}`,
    { kind: 'unsupported' },
  );
}

/** Nothing, zero, and folders and lists of nothing: what a client sends for a field it does not use. */
function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === '' || value === 0 || value === false) return true;
  if (Array.isArray(value)) return value.every(isEmpty);
  // A name in a folder says something even without a value: `{"/data": {}}` is a volume.
  const isFolder = (one: unknown) => typeof one === 'object' && one !== null && !Array.isArray(one);
  return typeof value === 'object' && Object.values(value).every((one) => !isFolder(one) && isEmpty(one));
}
