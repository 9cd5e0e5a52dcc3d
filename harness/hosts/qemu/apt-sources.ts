import { execa } from 'execa';

export interface AptSource {
  readonly origin: string;
  readonly label: string;
  readonly uri: string;
}

/** What mmdebstrap is given: its mirrors (none: its own defaults) and apt options. */
export interface AptSetup {
  readonly mirrors: readonly string[];
  readonly options: readonly string[];
}

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

/**
 * Where this machine takes Debian packages from, with another release's name put in. On a machine that has no Debian
 * sources (or never fetched their lists) mmdebstrap's own defaults serve.
 */
export async function readAptSetup(suite: string, components: readonly string[]): Promise<AptSetup> {
  const format = '$(ORIGIN)\t$(LABEL)\t$(REPO_URI)';
  const [targets, config] = await Promise.all([
    execa('apt-get', ['indextargets', '--format', format, 'Created-By: Packages'], { reject: false }),
    execa('apt-config', ['dump'], { reject: false }),
  ]);
  return {
    mirrors: mirrorsFor(suite, components, parseTargets(targets.stdout ?? '')),
    options: [...acquireOptions(config.stdout ?? ''), ...suiteOptions(suite)],
  };
}

export function parseTargets(text: string): readonly AptSource[] {
  return text
    .split('\n')
    .map((line) => line.split('\t'))
    .flatMap(([origin, label, uri]) => (origin && label && uri ? [{ origin, label, uri }] : []));
}

export function mirrorsFor(
  suite: string,
  components: readonly string[],
  sources: readonly AptSource[],
): readonly string[] {
  const uriOf = (label: string) =>
    sources.find((source) => source.origin === 'Debian' && source.label === label)?.uri;
  const main = uriOf('Debian');
  if (main === undefined) return [];
  const line = (uri: string, name: string) =>
    `deb [signed-by=${keyring}] ${uri} ${name} ${components.join(' ')}`;
  const security = uriOf('Debian-Security');
  // sid gets its security fixes directly.
  if (security === undefined || suite === 'sid') return [line(main, suite)];
  return [line(main, suite), line(security, `${suite}-security`)];
}

/** How this machine reaches its sources (proxies, checks): `Acquire::http::Proxy "…"` lines of `apt-config dump`. */
export function acquireOptions(dump: string): readonly string[] {
  const wanted = /^Acquire::(https?|Check-Valid-Until|Check-Date|ForceIPv[46]|Retries)\b.* ".+";$/;
  return dump.split('\n').flatMap((line) => (wanted.test(line) ? [line.slice(0, -1)] : []));
}

// The Release files of a suite that gets no more updates run out and stay as they are.
function suiteOptions(suite: string): readonly string[] {
  return ['buster', 'bullseye'].includes(suite) ? ['Acquire::Check-Valid-Until "false"'] : [];
}
