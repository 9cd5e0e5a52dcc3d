import { z } from 'zod';
import { HullError } from '../base/errors.ts';
import { parseCreateRequest } from '../containers/create-request.ts';
import type { ImageReference } from '../images/image-store.ts';
import { parseReference } from '../images/reference.ts';
import { type Credentials, credentialsOf, parseAuthConfig } from '../images/registry/credentials.ts';
import { fitsPlatform, formatPlatform, ownPlatform, parsePlatform } from '../images/registry/platform.ts';

/** What POST /build asks for, beside the context. */
export interface BuildRequest {
  readonly dockerfile: string;
  readonly tags: readonly ImageReference[];
  /** The stage to end with; '' for the last. */
  readonly target: string;
  readonly buildArguments: ReadonlyMap<string, string | undefined>;
  readonly labels: Readonly<Record<string, string>>;
  readonly usesCache: boolean;
  readonly cacheFrom: readonly string[];
  readonly pulls: boolean;
  /** Containers of instructions go: when they have succeeded, or in any case. */
  readonly removes: 'never' | 'on-success' | 'always';
  readonly quiet: boolean;
  /** HostConfig of RUN's containers: limits, network. */
  readonly host: Readonly<Record<string, unknown>>;
  /** By the registry's host. */
  readonly credentials: (host: string) => Credentials | undefined;
}

/** Reads the query and the X-Registry-Config header. Kinds `invalid` and `unsupported` name the parameter. */
export function readBuildRequest(query: URLSearchParams, registryConfig: string | undefined): BuildRequest {
  for (const [name, why] of Object.entries(notHere)) {
    const value = query.get(name);
    if (isSet(value))
      throw new HullError(`Cannot build: ${name}=${value} is not supported by hull: ${why}`, {
        kind: 'unsupported',
      });
  }
  if ((query.get('version') || '1') !== '1') {
    throw new HullError(
      'Cannot build: BuildKit (version=2) is not supported by hull: wanted the classic builder, DOCKER_BUILDKIT=0',
      {
        kind: 'unsupported',
      },
    );
  }
  checkPlatform(query.get('platform') ?? '');
  const always = isSet(query.get('forcerm'));
  const host = hostOf(query);
  // What a container cannot have is said before anything is done.
  parseCreateRequest({ Image: 'scratch', HostConfig: host });
  return {
    dockerfile: query.get('dockerfile') || 'Dockerfile',
    tags: query.getAll('t').filter(Boolean).map(readTag),
    target: query.get('target') ?? '',
    buildArguments: new Map(
      Object.entries(json(query, 'buildargs', buildArguments) ?? {}).map(([name, value]) => [
        name,
        value ?? undefined,
      ]),
    ),
    labels: json(query, 'labels', texts) ?? {},
    usesCache: !isSet(query.get('nocache')),
    cacheFrom: json(query, 'cachefrom', z.array(z.string())) ?? [],
    pulls: isSet(query.get('pull')),
    removes: always ? 'always' : isSet(query.get('rm') || '1') ? 'on-success' : 'never',
    quiet: isSet(query.get('q')),
    host,
    credentials: credentialsIn(registryConfig),
  };
}

/** Kind `unsupported` for another platform than this machine's, whose programs cannot run here. */
export function checkPlatform(text: string): void {
  if (text === '') return;
  const own = ownPlatform();
  const wanted = parsePlatform(text);
  if (wanted.os === own.os && fitsPlatform(wanted, own)) return;
  throw new HullError(
    `Cannot build for platform ${formatPlatform(wanted)}: wanted ${formatPlatform(own)}, this machine's`,
    {
      kind: 'unsupported',
    },
  );
}

const notHere: Readonly<Record<string, string>> = {
  remote: 'wanted the context as the body of the request',
  squash: 'layers stay as they are made',
  outputs: 'it is BuildKit’s; the image goes into the store',
};

function hostOf(query: URLSearchParams): Readonly<Record<string, unknown>> {
  const number = (name: string): number => {
    const value = Number(query.get(name) || 0);
    if (Number.isSafeInteger(value)) return value;
    throw new HullError(
      `Cannot build: ${name}: found ${JSON.stringify(query.get(name))}, wanted a whole number`,
      {
        kind: 'invalid',
      },
    );
  };
  return {
    Memory: number('memory'),
    MemorySwap: number('memswap'),
    CpuShares: number('cpushares'),
    CpuPeriod: number('cpuperiod'),
    CpuQuota: number('cpuquota'),
    CpusetCpus: query.get('cpusetcpus') ?? '',
    CpusetMems: query.get('cpusetmems') ?? '',
    CgroupParent: query.get('cgroupparent') ?? '',
    ShmSize: number('shmsize'),
    Ulimits: json(query, 'ulimits', z.array(z.unknown())) ?? [],
    NetworkMode: query.get('networkmode') ?? '',
    ExtraHosts: query.getAll('extrahosts').filter(Boolean),
    SecurityOpt: query.getAll('securityopt').filter(Boolean),
    Isolation: query.get('isolation') ?? '',
  };
}

function readTag(text: string): ImageReference {
  const { repository, tag, digest } = parseReference(text);
  if (digest === undefined) return { repository, tag };
  throw new HullError(`Cannot tag ${JSON.stringify(text)}: found a digest, wanted name:tag`, {
    kind: 'invalid',
  });
}

const texts = z.record(z.string(), z.string());
const buildArguments = z.record(z.string(), z.string().nullable());

function json<T>(query: URLSearchParams, name: string, schema: z.ZodType<T>): T | undefined {
  const text = query.get(name);
  if (!text || text === 'null') return undefined;
  const parsed = schema.safeParse(parse(text));
  if (parsed.success) return parsed.data;
  throw new HullError(
    `Cannot build: ${name}: found ${text.slice(0, 200)}: ${parsed.error.issues[0]?.message}`,
    {
      kind: 'invalid',
    },
  );
}

/** X-Registry-Config: AuthConfigs by registry, as JSON in base64. */
function credentialsIn(header: string | undefined): BuildRequest['credentials'] {
  const parsed = z
    .record(z.string(), z.unknown())
    .nullish()
    .safeParse(header ? parse(Buffer.from(header, 'base64url').toString('utf8')) : undefined);
  if (!parsed.success) {
    throw new HullError('Cannot build: found an X-Registry-Config header that is not JSON in base64', {
      kind: 'invalid',
    });
  }
  const configs = parsed.data ?? {};
  const hub = 'https://index.docker.io/v1/';
  return (host) => {
    const config =
      configs[host] ?? configs[`https://${host}`] ?? (host === 'docker.io' ? configs[hub] : undefined);
    return config === undefined ? undefined : credentialsOf(parseAuthConfig(config));
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return false;
  }
}

const isSet = (value: string | null): boolean =>
  value !== null && !['', '0', 'no', 'false', 'none', '[]', 'null'].includes(value.trim().toLowerCase());
