import { createLogUpdate } from 'log-update';
import { dockerConfigPath, encodeAuthConfig, findAuthConfig } from '../../images/registry/docker-config.ts';
import { parseRemoteName } from '../../images/registry/remote-name.ts';
import { postLines } from '../api-client.ts';
import { type ProgressEvent, ProgressText } from '../progress-text.ts';

export interface PullFlags {
  readonly host: string;
  readonly platform?: string;
  readonly allTags: boolean;
  readonly quiet: boolean;
}

/** Has the daemon pull an image, with what `docker login` has stored. */
export async function pullCommand(
  image: string,
  { host, platform, allTags, quiet }: PullFlags,
): Promise<void> {
  const name = parseRemoteName(image);
  const query = new URLSearchParams({ fromImage: name.repository });
  const tag = name.digest ?? name.tag ?? (allTags ? undefined : 'latest');
  if (tag !== undefined) query.set('tag', tag);
  if (platform !== undefined) query.set('platform', platform);
  await transfer(host, `/images/create?${query}`, name.host, quiet);
}

export interface PushFlags {
  readonly host: string;
  readonly allTags: boolean;
  readonly quiet: boolean;
}

/** Has the daemon push an image, with what `docker login` has stored. */
export async function pushCommand(image: string, { host, allTags, quiet }: PushFlags): Promise<void> {
  const name = parseRemoteName(image);
  const query = new URLSearchParams(allTags ? {} : { tag: name.tag ?? 'latest' });
  await transfer(host, `/images/${encodeURIComponent(name.repository)}/push?${query}`, name.host, quiet);
}

async function transfer(socketPath: string, path: string, registry: string, quiet: boolean): Promise<void> {
  const auth = await findAuthConfig(dockerConfigPath(), registry);
  const headers: Record<string, string> = auth ? { 'X-Registry-Auth': encodeAuthConfig(auth) } : {};
  const text = new ProgressText();
  const isTerminal = process.stdout.isTTY;
  const screen = isTerminal && !quiet ? createLogUpdate(process.stdout) : undefined;
  try {
    await postLines(socketPath, path, headers, (line) => {
      const news = text.take(line as ProgressEvent);
      if (quiet) return;
      if (screen) screen(text.screen(process.stdout.columns));
      else if (news !== undefined) console.log(news);
    });
  } finally {
    screen?.done();
  }
}
