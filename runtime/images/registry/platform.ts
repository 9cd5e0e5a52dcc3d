import { HullError } from '../../base/errors.ts';
import { architecture } from '../architecture.ts';

/** As image indexes have it (image-spec image-index.md). */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | undefined;
}

/**
 * `linux/arm/v7`, `arm64` or `linux`; what is left out is this machine's. uname's names are understood too.
 * @throws HullError `invalid`.
 */
export function parsePlatform(text: string): Platform {
  const own = ownPlatform();
  const words = text.toLowerCase().split('/');
  const [first = '', second, third] = words;
  if (words.length > 3 || words.some((word) => !/^[a-z0-9][a-z0-9._-]*$/.test(word))) {
    throw new HullError(
      `Cannot use platform ${JSON.stringify(text)}: wanted os/architecture/variant as "linux/arm/v7"`,
      { kind: 'invalid' },
    );
  }
  if (second === undefined) {
    return ['linux', 'windows', 'darwin'].includes(first) ? { ...own, os: first } : normalize(own.os, first);
  }
  return normalize(first, second, third);
}

export function ownPlatform(): Platform {
  const arm = process.config.variables as { readonly arm_version?: unknown };
  const variant = process.arch === 'arm' && arm.arm_version ? `v${arm.arm_version}` : undefined;
  return normalize('linux', architecture(), variant);
}

export const formatPlatform = ({ os, architecture: arch, variant }: Platform): string =>
  [os, arch, variant].filter(Boolean).join('/');

/**
 * The best of an index's entries for a platform: its own variant, then the older ones that it also runs; an entry of another kind
 * (attestations are `unknown/unknown`) never. Undefined where none fits.
 */
export function choosePlatform<T extends { readonly platform?: Platform | undefined }>(
  entries: readonly T[],
  wanted: Platform,
): T | undefined {
  for (const fit of runs(wanted)) {
    const found = entries.find(({ platform }) => platform && matches(platform, fit));
    if (found) return found;
  }
  return undefined;
}

/** Whether an image of platform `found` is what was asked for. */
export const fitsPlatform = (found: Platform, wanted: Platform): boolean =>
  runs(wanted).some((fit) => matches(found, fit));

function matches(found: Platform, wanted: Platform): boolean {
  const { os, architecture: arch, variant } = normalize(found.os, found.architecture, found.variant);
  return os === wanted.os && arch === wanted.architecture && variant === wanted.variant;
}

/** What a platform runs, the best first. */
function runs({ os, architecture: arch, variant }: Platform): readonly Platform[] {
  const of = (name: string, variants: readonly (string | undefined)[]): readonly Platform[] =>
    variants.map((each) => ({ os, architecture: name, variant: each }));
  const level = Number(/^v(\d+)/.exec(variant ?? '')?.[1] ?? 0);
  const down = (from: number, to: number) =>
    Array.from({ length: Math.max(from - to + 1, 0) }, (_, index) => `v${from - index}`);
  switch (arch) {
    case 'amd64':
      return [...of(arch, [...down(level, 2), undefined]), ...of('386', [undefined])];
    case 'arm64':
      return [...of(arch, [...down(level, 9), undefined]), ...of('arm', down(8, 5))];
    case 'arm':
      return of(arch, down(level, 5));
    default:
      return of(arch, variant === undefined ? [undefined] : [variant, undefined]);
  }
}

/** Go's names, and one spelling for what is the default: amd64 is v1, arm64 v8, arm v7. */
function normalize(os: string, name: string, variant?: string): Platform {
  const aliases: Readonly<Record<string, string>> = {
    x86_64: 'amd64',
    'x86-64': 'amd64',
    i386: '386',
    i686: '386',
    aarch64: 'arm64',
    armhf: 'arm',
    armel: 'arm',
  };
  const arch = aliases[name] ?? name;
  const plain = variant?.replace(/^(\d)/, 'v$1') || undefined;
  const system = os === 'macos' ? 'darwin' : os;
  if (arch === 'arm') {
    return { os: system, architecture: arch, variant: plain ?? (name === 'armel' ? 'v6' : 'v7') };
  }
  const isDefault = (arch === 'arm64' && plain === 'v8') || (arch === 'amd64' && plain === 'v1');
  return { os: system, architecture: arch, variant: isDefault ? undefined : plain };
}
