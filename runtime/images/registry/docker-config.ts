import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { codeOf, HullError, ifExists } from '../../base/errors.ts';
import { defaultRegistry } from '../reference.ts';
import { type AuthConfig, parseAuthConfig } from './credentials.ts';

const configSchema = z.looseObject({
  auths: z.record(z.string(), z.unknown()).nullish(),
  credsStore: z.string().nullish(),
  credHelpers: z.record(z.string(), z.string()).nullish(),
});
type Config = z.infer<typeof configSchema>;

/** What docker-credential-… get answers. */
const helperSchema = z.looseObject({ Username: z.string(), Secret: z.string() });

/** Docker Hub is stored under the address of its first index. */
const hubKey = 'https://index.docker.io/v1/';

/** `$DOCKER_CONFIG/config.json`, or ~/.docker/config.json. */
export const dockerConfigPath = (env: NodeJS.ProcessEnv = process.env): string =>
  join(env['DOCKER_CONFIG'] || join(homedir(), '.docker'), 'config.json');

/**
 * What `docker login` has stored for a registry (`docker.io`, `localhost:5000`): by the helper of that registry (`credHelpers`), by the helper
 * of all (`credsStore`), or in the file itself (`auths`). Undefined where there is nothing.
 * @throws HullError `invalid` for a damaged file or answer, `unsupported` for a helper that is not installed.
 */
export async function findAuthConfig(path: string, registry: string): Promise<AuthConfig | undefined> {
  const content = await ifExists(readFile(path, 'utf8'));
  if (content === undefined) return undefined;
  const { auths, credsStore, credHelpers } = parseConfig(content, path);
  const key = registry === defaultRegistry ? hubKey : registry;
  const helper = credHelpers?.[key] ?? credHelpers?.[registry] ?? (credsStore || undefined);
  if (helper !== undefined) {
    const found = await askHelper(helper, key);
    if (found) return found;
  }
  const entry = Object.entries(auths ?? {}).find(([name]) => name === key || hostOf(name) === hostOf(key));
  if (!entry) return undefined;
  const [name, value] = entry;
  return { ...parseAuthConfig(value ?? {}), serveraddress: name };
}

/** The same for every registry that the file names: a build tells its bases only to the daemon. */
export async function allAuthConfigs(path: string): Promise<Readonly<Record<string, AuthConfig>>> {
  const content = await ifExists(readFile(path, 'utf8'));
  if (content === undefined) return {};
  const { auths, credHelpers } = parseConfig(content, path);
  const found: Record<string, AuthConfig> = {};
  for (const name of new Set([...Object.keys(auths ?? {}), ...Object.keys(credHelpers ?? {})])) {
    const config = await findAuthConfig(path, name === hubKey ? defaultRegistry : hostOf(name));
    if (config) found[name === hubKey ? name : hostOf(name)] = config;
  }
  return found;
}

/** X-Registry-Auth's value. */
export const encodeAuthConfig = (config: AuthConfig): string =>
  Buffer.from(JSON.stringify(config)).toString('base64url');

/** docker-credential-helpers' protocol: the address on stdin, JSON on stdout; a user called `<token>` has an identity token. */
async function askHelper(name: string, address: string): Promise<AuthConfig | undefined> {
  const program = `docker-credential-${name}`;
  if (!/^[\w.-]+$/.test(name)) throw failure(program, 'found a path in its name, wanted a name');
  const child = spawn(program, ['get'], { stdio: ['pipe', 'pipe', 'inherit'] });
  // A helper that does not read its input is told apart by its exit code.
  child.stdin.on('error', () => undefined);
  child.stdin.end(address);
  let output: string;
  let code: unknown;
  try {
    [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  } catch (cause) {
    if (codeOf(cause) !== 'ENOENT') throw cause;
    throw new HullError(`Cannot ask ${program} for credentials: it is not installed`, {
      kind: 'unsupported',
      cause,
    });
  }
  if (code !== 0) {
    if (/credentials not found/i.test(output)) return undefined;
    throw failure(program, `it ended with ${code}: ${output.trim().slice(0, 300) || 'no message'}`);
  }
  const { Username, Secret } = readHelper(program, output);
  if (Username === '<token>') return { identitytoken: Secret, serveraddress: address };
  return { username: Username, password: Secret, serveraddress: address };
}

function readHelper(program: string, output: string): z.infer<typeof helperSchema> {
  try {
    return helperSchema.parse(JSON.parse(output));
  } catch {
    // Its output may hold the secret, so it is not shown.
    throw failure(program, 'found an answer that is not {"Username":…,"Secret":…}');
  }
}

function parseConfig(content: string, path: string): Config {
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch {
    value = undefined;
  }
  const parsed = configSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new HullError(
    `Cannot read ${JSON.stringify(path)}: found no configuration of Docker's in it, wanted JSON`,
    {
      kind: 'invalid',
    },
  );
}

const hostOf = (address: string): string => address.replace(/^https?:\/\//, '').replace(/\/.*$/, '');

const failure = (program: string, reason: string): HullError =>
  new HullError(`Cannot ask ${program} for credentials: ${reason}`, { kind: 'invalid' });
