import * as z from 'zod/mini';

/** config.json as far as a wrong value could not be told later with its name (config.md, config-linux.md of version 1.2). */
const absolute = z.string().check(z.regex(/^\//, 'wanted an absolute path'));
const uint = z.int().check(z.nonnegative());
const names = z.optional(z.nullable(z.array(z.string())));

const hook = z.looseObject({
  path: absolute,
  args: names,
  env: names,
  timeout: z.optional(z.int().check(z.positive('wanted more than 0 seconds'))),
});
const hooks = z.optional(z.nullable(z.array(hook)));

const idMappings = z.optional(
  z.nullable(z.array(z.looseObject({ containerID: uint, hostID: uint, size: uint }))),
);

export const processSchema = z.looseObject({
  terminal: z.optional(z.boolean()),
  consoleSize: z.optional(z.nullable(z.looseObject({ height: uint, width: uint }))),
  cwd: absolute,
  env: names,
  args: z.array(z.string()).check(z.minLength(1, 'wanted a command')),
  user: z.optional(
    z.looseObject({
      uid: z.optional(uint),
      gid: z.optional(uint),
      umask: z.optional(uint),
      additionalGids: z.optional(z.nullable(z.array(uint))),
    }),
  ),
  capabilities: z.optional(
    z.nullable(
      z.looseObject({
        bounding: names,
        effective: names,
        inheritable: names,
        permitted: names,
        ambient: names,
      }),
    ),
  ),
  rlimits: z.optional(
    z.nullable(
      z.array(
        z.looseObject({
          type: z.string().check(z.regex(/^RLIMIT_[A-Z]+$/)),
          soft: z.number(),
          hard: z.number(),
        }),
      ),
    ),
  ),
  noNewPrivileges: z.optional(z.boolean()),
  oomScoreAdj: z.optional(z.nullable(z.int().check(z.minimum(-1000), z.maximum(1000)))),
});

export const specSchema = z.looseObject({
  ociVersion: z.string().check(z.regex(/^1\.\d+\.\d+/, 'wanted version 1.x.y')),
  process: processSchema,
  root: z.looseObject({ path: z.string().check(z.minLength(1)), readonly: z.optional(z.boolean()) }),
  hostname: z.optional(z.string()),
  domainname: z.optional(z.string()),
  mounts: z.optional(
    z.nullable(
      z.array(
        z.looseObject({
          destination: z.string().check(z.minLength(1)),
          type: z.optional(z.string()),
          source: z.optional(z.string()),
          options: names,
          uidMappings: idMappings,
          gidMappings: idMappings,
        }),
      ),
    ),
  ),
  annotations: z.optional(z.nullable(z.record(z.string(), z.string()))),
  hooks: z.optional(
    z.nullable(
      z.looseObject({
        prestart: hooks,
        createRuntime: hooks,
        createContainer: hooks,
        startContainer: hooks,
        poststart: hooks,
        poststop: hooks,
      }),
    ),
  ),
  linux: z.optional(
    z.nullable(
      z.looseObject({
        namespaces: z.optional(
          z.nullable(
            z.array(
              z.looseObject({
                type: z.enum(['mount', 'pid', 'network', 'ipc', 'uts', 'user', 'cgroup', 'time']),
                path: z.optional(z.union([absolute, z.literal('')])),
              }),
            ),
          ),
        ),
        uidMappings: idMappings,
        gidMappings: idMappings,
        devices: z.optional(
          z.nullable(
            z.array(
              z.looseObject({
                type: z.enum(['c', 'b', 'u', 'p']),
                path: absolute,
                fileMode: z.optional(uint),
              }),
            ),
          ),
        ),
        cgroupsPath: z.optional(z.string()),
        resources: z.optional(z.nullable(z.looseObject({}))),
        sysctl: z.optional(z.nullable(z.record(z.string(), z.string()))),
        maskedPaths: z.optional(z.nullable(z.array(absolute))),
        readonlyPaths: z.optional(z.nullable(z.array(absolute))),
        rootfsPropagation: z.optional(
          z.enum([
            '',
            'shared',
            'rshared',
            'slave',
            'rslave',
            'private',
            'rprivate',
            'unbindable',
            'runbindable',
          ]),
        ),
      }),
    ),
  ),
});
