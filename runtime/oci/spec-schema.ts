import { flag, list, map, matching, number, object, oneOf, optional, orNull, text, whole } from './shape.ts';

/** config.json as far as a wrong value could not be told later with its name (config.md, config-linux.md of version 1.2). */
const absolute = matching(/^\//, 'an absolute path');
const uint = whole(0);
const texts = orNull(list(text));

const hooks = orNull(list(object({ path: absolute, args: texts, env: texts, timeout: optional(whole(1)) })));

const idMappings = orNull(list(object({ containerID: uint, hostID: uint, size: uint })));

export const processSchema = object({
  terminal: optional(flag),
  consoleSize: orNull(object({ height: uint, width: uint })),
  cwd: absolute,
  env: texts,
  args: list(text, 1),
  user: optional(
    object({
      uid: optional(uint),
      gid: optional(uint),
      umask: optional(uint),
      additionalGids: orNull(list(uint)),
    }),
  ),
  capabilities: orNull(
    object({ bounding: texts, effective: texts, inheritable: texts, permitted: texts, ambient: texts }),
  ),
  rlimits: orNull(
    list(
      object({ type: matching(/^RLIMIT_[A-Z]+$/, 'a name as RLIMIT_NOFILE'), soft: number, hard: number }),
    ),
  ),
  noNewPrivileges: optional(flag),
  oomScoreAdj: orNull(whole(-1000, 1000)),
});

export const specSchema = object({
  ociVersion: matching(/^1\.\d+\.\d+/, 'version 1.x.y'),
  process: processSchema,
  root: object({ path: matching(/./, 'a path'), readonly: optional(flag) }),
  hostname: optional(text),
  domainname: optional(text),
  mounts: orNull(
    list(
      object({
        destination: matching(/./, 'a path'),
        type: optional(text),
        source: optional(text),
        options: texts,
        uidMappings: idMappings,
        gidMappings: idMappings,
      }),
    ),
  ),
  annotations: orNull(map(text)),
  hooks: orNull(
    object({
      prestart: hooks,
      createRuntime: hooks,
      createContainer: hooks,
      startContainer: hooks,
      poststart: hooks,
      poststop: hooks,
    }),
  ),
  linux: orNull(
    object({
      namespaces: orNull(
        list(
          object({
            type: oneOf('mount', 'pid', 'network', 'ipc', 'uts', 'user', 'cgroup', 'time'),
            path: optional(matching(/^(\/|$)/, 'an absolute path')),
          }),
        ),
      ),
      uidMappings: idMappings,
      gidMappings: idMappings,
      devices: orNull(
        list(object({ type: oneOf('c', 'b', 'u', 'p'), path: absolute, fileMode: optional(uint) })),
      ),
      cgroupsPath: optional(text),
      resources: orNull(object({})),
      intelRdt: orNull(
        object({
          closID: optional(text),
          l3CacheSchema: optional(text),
          memBwSchema: optional(matching(/^(MB:[^\n]*)?$/, 'a line as MB:0=20')),
          enableCMT: optional(flag),
          enableMBM: optional(flag),
        }),
      ),
      sysctl: orNull(map(text)),
      maskedPaths: orNull(list(absolute)),
      readonlyPaths: orNull(list(absolute)),
      rootfsPropagation: optional(
        oneOf(
          ...['', 'shared', 'rshared', 'slave', 'rslave'],
          ...['private', 'rprivate', 'unbindable', 'runbindable'],
        ),
      ),
    }),
  ),
});
