import { z } from 'zod';
import { HullError } from '../../base/errors.ts';
import type { Engine } from '../../containers/engine.ts';
import { defaultRegistry } from '../../images/reference.ts';
import { credentialsOf, parseAuthConfig, parseAuthHeader } from '../../images/registry/credentials.ts';
import { ownPlatform, type Platform, parsePlatform } from '../../images/registry/platform.ts';
import { formatRemoteName, parseRemoteName } from '../../images/registry/remote-name.ts';
import { type Call, jsonBody, param } from '../call.ts';
import { streamLines } from '../progress-stream.ts';
import type { Route } from '../router.ts';

/** Docker Engine API, what of images and system speaks to registries. */
export function registryRoutes(engine: Engine): readonly Route[] {
  const { events } = engine;
  return [
    {
      method: 'POST',
      path: '/images/:name/push',
      handle: async (call) => {
        const name = parseRemoteName(param(call, 'name'), call.query.get('tag') ?? '');
        const credentials = credentialsIn(call);
        await streamLines(call, async (progress) => {
          await (await engine.registry()).push(name, { credentials, signal: call.signal, progress });
        });
        events.publish('image', 'push', formatRemoteName(name), { name: name.repository });
        return undefined;
      },
    },
    {
      method: 'POST',
      path: '/auth',
      handle: async (call) => {
        const config = parseAuthConfig((await jsonBody(call)) ?? {});
        const host = hostOf(config.serveraddress ?? '');
        const registry = await engine.registry();
        await registry.checkLogin(host, { credentials: credentialsOf(config), signal: call.signal });
        return { json: { Status: 'Login Succeeded', IdentityToken: '' } };
      },
    },
    {
      method: 'GET',
      path: '/distribution/:name/json',
      handle: async (call) => {
        const name = parseRemoteName(param(call, 'name'));
        const registry = await engine.registry();
        const { descriptor, platforms } = await registry.describe(name, {
          credentials: credentialsIn(call),
          signal: call.signal,
        });
        const { mediaType, digest, size } = descriptor;
        return {
          json: {
            Descriptor: { mediaType, digest, size },
            Platforms: platforms.map(({ os, architecture, variant }) => ({
              architecture,
              os,
              ...(variant && { variant }),
            })),
          },
        };
      },
    },
  ];
}

/** `POST /images/create?fromImage=…&tag=…&platform=…`. */
export async function pullRoute(engine: Engine, call: Call, fromImage: string): Promise<undefined> {
  const name = parseRemoteName(fromImage, call.query.get('tag') ?? '');
  const platform = platformIn(call.query);
  const credentials = credentialsIn(call);
  await streamLines(call, async (progress) => {
    const asking = { credentials, signal: call.signal, platform, progress };
    const registry = await engine.registry();
    for (const { name: pulled } of await registry.pull(name, asking)) {
      engine.events.publish('image', 'pull', formatRemoteName(pulled), { name: pulled.repository });
    }
  });
  return undefined;
}

const credentialsIn = ({ request }: Call) => {
  const header = request.headers['x-registry-auth'];
  return parseAuthHeader(Array.isArray(header) ? header[0] : header);
};

const platformSchema = z.object({
  os: z.string().default(ownPlatform().os),
  architecture: z.string(),
  variant: z.string().optional(),
});

/** `linux/arm64`, or since API 1.49 an OCI platform in JSON. Undefined where none is asked for. */
function platformIn(query: URLSearchParams): Platform | undefined {
  const text = query.get('platform');
  if (!text) return undefined;
  if (!text.startsWith('{')) return parsePlatform(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const parsed = platformSchema.safeParse(value);
  if (!parsed.success) {
    throw new HullError(
      `Cannot use platform ${JSON.stringify(text)}: wanted {"os":"linux","architecture":"arm64"}`,
      { kind: 'invalid' },
    );
  }
  const { os, architecture, variant } = parsed.data;
  return parsePlatform([os, architecture, variant].filter(Boolean).join('/'));
}

/** Of a login's server address; Docker Hub is still called by the address of its first index. */
function hostOf(address: string): string {
  const host = address.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  if (host === '' || host === 'index.docker.io') return defaultRegistry;
  if (/^[\w.[\]:-]+$/.test(host)) return host;
  throw new HullError(`Cannot log in to ${JSON.stringify(address)}: wanted a registry as "localhost:5000"`, {
    kind: 'invalid',
  });
}
