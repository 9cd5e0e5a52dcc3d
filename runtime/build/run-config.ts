import type { ImageConfig } from '../images/image-store.ts';

/**
 * An image's `config` as Docker writes it (container.Config of its API), in Docker's order of fields: those that are always there,
 * with their zero, and those that are left out where they say nothing.
 */
export interface RunConfig {
  Hostname: string;
  Domainname: string;
  User: string;
  AttachStdin: boolean;
  AttachStdout: boolean;
  AttachStderr: boolean;
  ExposedPorts?: Record<string, object>;
  Tty: boolean;
  OpenStdin: boolean;
  StdinOnce: boolean;
  Env: string[] | null;
  Cmd: string[] | null;
  Healthcheck?: Healthcheck;
  /** The image that the instruction was made upon. */
  Image: string;
  Volumes: Record<string, object> | null;
  WorkingDir: string;
  Entrypoint: string[] | null;
  OnBuild: string[] | null;
  Labels: Record<string, string> | null;
  StopSignal?: string;
  Shell?: string[];
}

/** Times in nanoseconds; what is not given is the daemon's default. */
export interface Healthcheck {
  Test?: string[];
  Interval?: number;
  Timeout?: number;
  StartPeriod?: number;
  StartInterval?: number;
  Retries?: number;
}

const zero: RunConfig = {
  Hostname: '',
  Domainname: '',
  User: '',
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Env: null,
  Cmd: null,
  Image: '',
  Volumes: null,
  WorkingDir: '',
  Entrypoint: null,
  OnBuild: null,
  Labels: null,
};

/** A config of its own that begins as the image's; of nothing for `FROM scratch`. */
export function runConfigOf(config: ImageConfig['config']): RunConfig {
  const { ExposedPorts, ...rest } = structuredClone(config ?? {});
  return {
    ...zero,
    // The reader of image configs knows the types of what it names, and passes on the rest: Docker's own, in its images.
    ...(rest as Partial<RunConfig>),
    ...(ExposedPorts && { ExposedPorts }),
    // As in Docker: a build's containers are not talked to.
    OpenStdin: false,
    StdinOnce: false,
  };
}

const order: readonly (keyof RunConfig)[] = [
  'Hostname',
  'Domainname',
  'User',
  'AttachStdin',
  'AttachStdout',
  'AttachStderr',
  'ExposedPorts',
  'Tty',
  'OpenStdin',
  'StdinOnce',
  'Env',
  'Cmd',
  'Healthcheck',
  'Image',
  'Volumes',
  'WorkingDir',
  'Entrypoint',
  'OnBuild',
  'Labels',
  'StopSignal',
  'Shell',
];

/** For the image's document: every field in its place, maps in the order of their names. */
export function inOrder(config: RunConfig): object {
  const { ExposedPorts, Volumes, Labels } = config;
  const sorted = {
    ...config,
    ...(ExposedPorts && { ExposedPorts: byName(ExposedPorts) }),
    Volumes: Volumes && byName(Volumes),
    Labels: Labels && byName(Labels),
  };
  return Object.fromEntries(
    order.filter((key) => sorted[key] !== undefined).map((key) => [key, sorted[key]]),
  );
}

/** What Docker's cache compares of two configs. */
export function sameForCache(a: RunConfig, b: RunConfig): boolean {
  if (a.OpenStdin || b.OpenStdin) return false;
  return (
    a.AttachStdout === b.AttachStdout &&
    a.AttachStderr === b.AttachStderr &&
    a.User === b.User &&
    a.Tty === b.Tty &&
    sameList(a.Cmd, b.Cmd) &&
    sameList(a.Env, b.Env) &&
    sameList(a.Entrypoint, b.Entrypoint) &&
    sameMap(a.Labels, b.Labels) &&
    sameMap(a.ExposedPorts, b.ExposedPorts, () => true) &&
    sameMap(a.Volumes, b.Volumes, () => true)
  );
}

function sameList(a: readonly string[] | null, b: readonly string[] | null): boolean {
  return (a ?? []).length === (b ?? []).length && (a ?? []).every((word, at) => word === b?.[at]);
}

function sameMap<T>(
  a: Readonly<Record<string, T>> | null | undefined,
  b: Readonly<Record<string, T>> | null | undefined,
  same: (a: T | undefined, b: T | undefined) => boolean = (one, other) => one === other,
): boolean {
  const names = Object.keys(a ?? {});
  return (
    names.length === Object.keys(b ?? {}).length &&
    names.every((name) => Object.hasOwn(b ?? {}, name) && same(a?.[name], b?.[name]))
  );
}

const byName = <T>(map: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
