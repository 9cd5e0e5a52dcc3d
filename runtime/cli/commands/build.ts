import { writeFile } from 'node:fs/promises';
import { allAuthConfigs, dockerConfigPath } from '../../images/registry/docker-config.ts';
import { postLines } from '../api-client.ts';
import { openContext } from '../build/open-context.ts';
import { type ProgressEvent, ProgressText } from '../progress-text.ts';

export interface BuildFlags {
  readonly host: string;
  readonly file?: string;
  readonly tag: readonly string[];
  readonly target?: string;
  readonly buildArg: readonly string[];
  readonly label: readonly string[];
  readonly cache: boolean;
  readonly cacheFrom: readonly string[];
  readonly pull: boolean;
  readonly rm: boolean;
  readonly forceRm: boolean;
  readonly quiet: boolean;
  readonly iidfile?: string;
  readonly platform?: string;
  readonly network?: string;
  readonly memory?: number;
  readonly memorySwap?: number;
  readonly cpuShares?: string;
  readonly cpuPeriod?: string;
  readonly cpuQuota?: string;
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  readonly shmSize?: number;
  readonly ulimit: readonly string[];
  readonly securityOpt: readonly string[];
}

/** Has the daemon build an image of a folder; ends with a failed command's exit code. */
export async function buildCommand(context: string, flags: BuildFlags): Promise<void> {
  const { dockerfile, archive } = await openContext(context, flags.file, process.stdin);
  const query = queryOf(flags, dockerfile);
  const headers = { 'Content-Type': 'application/x-tar', 'X-Registry-Config': await credentials() };
  const text = new ProgressText();
  let id = '';
  const hear = (line: object) => {
    if ('aux' in line) id = String(Object(line.aux).ID);
    else if ('stream' in line) process.stdout.write(String(line.stream));
    else {
      const news = text.take(line as ProgressEvent);
      if (news !== undefined) console.log(news);
    }
    if (flags.quiet && 'stream' in line) id = String(line.stream).trim();
  };
  await postLines(flags.host, `/build?${query}`, headers, hear, archive);
  if (flags.iidfile !== undefined) await writeFile(flags.iidfile, id);
}

function queryOf(flags: BuildFlags, dockerfile: string): URLSearchParams {
  const query = new URLSearchParams({
    version: '1',
    dockerfile,
    rm: flags.rm ? '1' : '0',
    buildargs: JSON.stringify(Object.fromEntries(flags.buildArg.map(buildArgument))),
    labels: JSON.stringify(Object.fromEntries(flags.label.map(pair))),
    cachefrom: JSON.stringify(flags.cacheFrom),
    ulimits: JSON.stringify(flags.ulimit.map(ulimit)),
  });
  const set = (name: string, value: string | number | undefined) => {
    if (value !== undefined) query.set(name, String(value));
  };
  for (const tag of flags.tag) query.append('t', tag);
  for (const option of flags.securityOpt) query.append('securityopt', option);
  if (flags.forceRm) query.set('forcerm', '1');
  if (!flags.cache) query.set('nocache', '1');
  if (flags.pull) query.set('pull', '1');
  if (flags.quiet) query.set('q', '1');
  set('target', flags.target);
  set('platform', flags.platform);
  set('networkmode', flags.network);
  set('cpushares', flags.cpuShares);
  set('cpuperiod', flags.cpuPeriod);
  set('cpuquota', flags.cpuQuota);
  set('cpusetcpus', flags.cpusetCpus);
  set('cpusetmems', flags.cpusetMems);
  set('memory', flags.memory);
  set('memswap', flags.memorySwap);
  set('shmsize', flags.shmSize);
  return query;
}

/** `name=value`; a name alone takes its value from the environment, and null where that has none. */
function buildArgument(text: string): readonly [string, string | null] {
  const [name, value] = pair(text);
  return [name, text.includes('=') ? value : (process.env[name] ?? null)];
}

function pair(text: string): readonly [string, string] {
  const equals = text.indexOf('=');
  return equals < 0 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
}

/** `nofile=1024:2048`. */
function ulimit(text: string): object {
  const [Name, value] = pair(text);
  const [soft, hard = soft] = value.split(':').map(Number);
  return { Name, Soft: soft, Hard: hard };
}

async function credentials(): Promise<string> {
  const configs = await allAuthConfigs(dockerConfigPath());
  return Buffer.from(JSON.stringify(configs)).toString('base64url');
}
