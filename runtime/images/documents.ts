import { z } from 'zod';
import { HullError } from '../base/errors.ts';
import { digestPattern } from './digest.ts';
import type { ImageConfig } from './image-store.ts';

const digest = z.string().regex(digestPattern, 'wanted "sha256:" and 64 hex digits');

export const mediaTypes = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  index: 'application/vnd.oci.image.index.v1+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  layerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  layerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
} as const;

/** image-spec descriptor.md. */
const descriptorSchema = z.looseObject({
  mediaType: z.string(),
  digest,
  size: z.int().nonnegative(),
  annotations: z.record(z.string(), z.string()).optional(),
  platform: z
    .looseObject({ architecture: z.string(), os: z.string(), variant: z.string().optional() })
    .optional(),
});
export type Descriptor = z.infer<typeof descriptorSchema>;

/** image-spec manifest.md; Docker's schema 2 has the same fields. */
const manifestSchema = z.looseObject({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  config: descriptorSchema,
  layers: z.array(descriptorSchema),
});
export type Manifest = z.infer<typeof manifestSchema>;

/** image-spec image-index.md. */
const indexSchema = z.looseObject({ schemaVersion: z.literal(2), manifests: z.array(descriptorSchema) });
export type Index = z.infer<typeof indexSchema>;

/** manifest.json of `docker save`. */
const dockerManifestSchema = z
  .array(
    z.looseObject({
      Config: z.string(),
      RepoTags: z.array(z.string()).nullish(),
      Layers: z.array(z.string()).nullish(),
      Parent: digest.optional(),
    }),
  )
  .min(1);
export type DockerManifest = z.infer<typeof dockerManifestSchema>;

// Docker writes null for what is empty.
const words = z.array(z.string()).nullish();
const configSchema = z.looseObject({
  architecture: z.string().default(''),
  variant: z.string().nullish(),
  os: z.string().default('linux'),
  created: z.string().nullish(),
  author: z.string().nullish(),
  comment: z.string().nullish(),
  config: z
    .looseObject({
      User: z.string().nullish(),
      Env: words,
      Entrypoint: words,
      Cmd: words,
      WorkingDir: z.string().nullish(),
      StopSignal: z.string().nullish(),
      Labels: z.record(z.string(), z.string()).nullish(),
      ExposedPorts: z.record(z.string(), z.looseObject({})).nullish(),
      Volumes: z.record(z.string(), z.looseObject({})).nullish(),
    })
    .nullish(),
  container_config: z.looseObject({}).nullish(),
  rootfs: z.object({ type: z.literal('layers'), diff_ids: z.array(digest).nullish() }),
  history: z.array(z.looseObject({})).nullish(),
});

export const parseManifest = (text: string, from: string): Manifest => parse(manifestSchema, text, from);
export const parseIndex = (text: string, from: string): Index => parse(indexSchema, text, from);
export const parseDockerManifest = (text: string, from: string): DockerManifest =>
  parse(dockerManifestSchema, text, from);

/** An image's config, without the nulls. Kind `invalid` names the field. */
export function parseConfig(text: string, from: string): ImageConfig {
  const found = parse(configSchema, text, from);
  const { created, author, comment, config, history, variant, container_config } = found;
  const { User, Env, Entrypoint, Cmd, WorkingDir, StopSignal, Labels, ExposedPorts, Volumes, ...other } =
    config ?? {};
  return {
    architecture: found.architecture,
    os: found.os,
    ...(variant && { variant }),
    ...(created && { created }),
    ...(author && { author }),
    ...(comment && { comment }),
    ...(config && {
      config: {
        ...other,
        ...(User && { User }),
        ...(Env && { Env }),
        ...(Entrypoint && { Entrypoint }),
        ...(Cmd && { Cmd }),
        ...(WorkingDir && { WorkingDir }),
        ...(StopSignal && { StopSignal }),
        ...(Labels && { Labels }),
        ...(ExposedPorts && { ExposedPorts }),
        ...(Volumes && { Volumes }),
      },
    }),
    ...(container_config && { container_config }),
    rootfs: { type: 'layers', diff_ids: found.rootfs.diff_ids ?? [] },
    ...(history && { history }),
  };
}

function parse<T>(schema: z.ZodType<T>, text: string, from: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new HullError(
      `Cannot read ${from}: found ${text.length} characters that do not parse, wanted JSON`,
      {
        kind: 'invalid',
        cause,
      },
    );
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.map(
    ({ path, message }) => `${path.join('.') || 'all of it'}: ${message}`,
  );
  throw new HullError(`Cannot read ${from}: ${issues.join('; ')}`, { kind: 'invalid' });
}
