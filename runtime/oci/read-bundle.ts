import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { codeOf, HullError } from '../base/errors.ts';
import type { NamespaceType, Process, Spec, SpecMount } from '../base/oci.ts';
import type { Wrong } from './shape.ts';
import { processSchema, specSchema } from './spec-schema.ts';

export interface Bundle {
  readonly folder: string;
  readonly rootfs: string;
  readonly spec: Spec;
}

/** A bundle's config.json, checked; errors of kind `invalid` name the field. */
export function readBundle(path: string, config = 'config.json'): Bundle {
  const folder = resolve(path);
  const spec = withSources(checkSpec(readConfig(resolve(folder, config)), 'config.json'), folder);
  const rootfs = resolve(folder, spec.root.path);
  if (!statSync(rootfs, { throwIfNoEntry: false })?.isDirectory())
    throw invalid('config.json', 'root.path', `found no folder ${JSON.stringify(rootfs)}`);
  return { folder, rootfs, spec };
}

/** The sources of bind mounts are relative to the bundle (config.md, "Mounts"). */
function withSources(spec: Spec, folder: string): Spec {
  const isBind = ({ type, options = [] }: SpecMount) =>
    type === 'bind' || options.some((word) => word === 'bind' || word === 'rbind');
  const mounts = spec.mounts?.map((mount) =>
    isBind(mount) && mount.source !== undefined ? { ...mount, source: resolve(folder, mount.source) } : mount,
  );
  return mounts ? { ...spec, mounts } : spec;
}

function readConfig(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if (codeOf(cause) !== 'ENOENT') throw cause;
    throw new HullError(`Cannot read the bundle: JSON specification file ${path} not found`, {
      kind: 'not-found',
      cause,
    });
  }
  return parseJson(text, path);
}

export function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new HullError(`Cannot read ${JSON.stringify(name)}: found no JSON (${(cause as Error).message})`, {
      kind: 'invalid',
      cause,
    });
  }
}

/** A specification with the defaults of what it leaves out. */
export function checkSpec(value: unknown, name: string): Spec {
  const wrong = specSchema(value, []);
  if (wrong) throw wrongField(name, wrong);
  const config = withoutNulls(value) as Spec;
  const linux = { ...config.linux, namespaces: (config.linux?.namespaces ?? []).map(withoutEmptyPath) };
  const spec: Spec = { ...config, process: completeProcess(config.process), linux };
  checkTogether(spec, name);
  return spec;
}

/** The process of an exec, as a file holds it. */
export function checkProcess(value: unknown, name: string): Process {
  const wrong = processSchema(value, []);
  if (wrong) throw wrongField(name, wrong);
  return completeProcess(withoutNulls(value) as Process);
}

function completeProcess(process: Process): Process {
  return {
    ...process,
    user: { ...process.user, uid: process.user?.uid ?? 0, gid: process.user?.gid ?? 0 },
  };
}

/** Go writes an empty path for a namespace that is to be new. */
function withoutEmptyPath<Entry extends { readonly type: NamespaceType; readonly path?: string }>(
  entry: Entry,
): Entry {
  if (entry.path !== '') return entry;
  const { path: _, ...rest } = entry;
  return rest as Entry;
}

/** Go's encoder writes null for empty lists and maps. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, each]) => (each === null ? [] : [[key, withoutNulls(each)]])),
  );
}

function checkTogether(spec: Spec, name: string): void {
  const { namespaces } = spec.linux;
  const types = namespaces.map(({ type }) => type);
  const twice = types.find((type, index) => types.indexOf(type) !== index);
  if (twice) throw invalid(name, 'linux.namespaces', `found ${JSON.stringify(twice)} twice`);
  const limits = (spec.process.rlimits ?? []).map(({ type }) => type);
  const limit = limits.find((type, index) => limits.indexOf(type) !== index);
  if (limit) throw invalid(name, 'process.rlimits', `found ${JSON.stringify(limit)} twice`);
  for (const what of ['hostname', 'domainname'] as const) {
    const sysctl = spec.linux.sysctl?.[`kernel.${what}`];
    if (sysctl !== undefined && spec[what] !== undefined && spec[what] !== sysctl)
      throw invalid(
        name,
        `linux.sysctl.kernel.${what}`,
        `found ${JSON.stringify(sysctl)}, and ${JSON.stringify(spec[what])} as ${what}`,
      );
  }
  for (const [field, value] of [
    ['hostname', spec.hostname],
    ['domainname', spec.domainname],
  ] as const)
    if (value !== undefined && value !== '' && !types.includes('uts'))
      throw invalid(name, field, `unable to set ${field} without a private UTS namespace`);
}

function wrongField(name: string, { path, message }: Wrong): HullError {
  const field = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`)).join('');
  return invalid(name, field.replace(/^\./, ''), message);
}

function invalid(name: string, field: string, reason: string): HullError {
  return new HullError(`Cannot use ${name}: ${field}: ${reason}`, { kind: 'invalid' });
}
