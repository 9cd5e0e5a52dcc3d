import { HullError } from '../base/errors.ts';
import type { ImageConfigChanges } from '../images/image-store.ts';

/** `--change` of import and commit: Dockerfile instructions that only touch the configuration. */
export function parseImageChanges(instructions: readonly string[]): ImageConfigChanges {
  let config: ImageConfigChanges = {};
  for (const instruction of instructions) {
    const [, word = '', rest = ''] = /^\s*(\S+)\s*(.*?)\s*$/s.exec(instruction) ?? [];
    config = { ...config, ...change(config, word.toUpperCase(), rest, instruction) };
  }
  return config;
}

function change(config: ImageConfigChanges, word: string, rest: string, whole: string): ImageConfigChanges {
  switch (word) {
    case 'CMD':
      return { Cmd: command(rest) };
    case 'ENTRYPOINT':
      return { Entrypoint: command(rest) };
    case 'ENV':
      return { Env: [...(config.Env ?? []), pair(rest, whole).join('=')] };
    case 'LABEL': {
      const [name, value] = pair(rest, whole);
      return { Labels: { ...config.Labels, [name]: value } };
    }
    case 'USER':
      return { User: rest };
    case 'WORKDIR':
      return { WorkingDir: rest };
    case 'STOPSIGNAL':
      return { StopSignal: rest };
    case 'VOLUME': {
      const paths = rest.startsWith('[') ? command(rest) : rest.split(/\s+/);
      return { Volumes: { ...config.Volumes, ...Object.fromEntries(paths.map((path) => [path, {}])) } };
    }
    case 'EXPOSE': {
      const ports = rest.split(/\s+/).map((port) => [port.includes('/') ? port : `${port}/tcp`, {}]);
      return { ExposedPorts: { ...config.ExposedPorts, ...Object.fromEntries(ports) } };
    }
    default:
      throw new HullError(
        `Cannot apply the change ${JSON.stringify(whole)}: wanted CMD, ENTRYPOINT, ENV, LABEL, USER, WORKDIR, STOPSIGNAL, VOLUME or EXPOSE`,
        { kind: 'invalid' },
      );
  }
}

/** `["a","b"]`, or words for a shell. */
function command(rest: string): readonly string[] {
  if (rest.startsWith('[')) {
    try {
      const parsed: unknown = JSON.parse(rest);
      if (Array.isArray(parsed) && parsed.every((word) => typeof word === 'string')) return parsed;
    } catch {
      // Docker takes what is not JSON as words for a shell, too.
    }
  }
  return ['/bin/sh', '-c', rest];
}

function pair(rest: string, whole: string): readonly [string, string] {
  const at = rest.search(/[=\s]/);
  if (at <= 0) {
    throw new HullError(`Cannot apply the change ${JSON.stringify(whole)}: wanted name=value`, {
      kind: 'invalid',
    });
  }
  return [rest.slice(0, at), rest.slice(at + 1).replace(/^"(.*)"$/s, '$1')];
}
