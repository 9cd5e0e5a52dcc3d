import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/**
 * Who may import whom. A part may import what its list names, and itself; DESIGN: arrows point down only. A name that ends
 * in `:types` allows `import type` alone.
 */
const base = ['runtime/base'];
const sys = [...base, 'runtime/sys'];
const kernel = [...sys, 'runtime/kernel'];
const launch = [...kernel, 'runtime/launch'];
const cgroups = [...kernel, 'runtime/launch:types'];
const storage = [...launch, 'runtime/storage'];
const images = [...storage, 'runtime/images'];
const volumes = [...images, 'runtime/volumes'];
const containers = [...volumes, 'runtime/cgroups', 'runtime/network', 'runtime/containers'];
const build = [...containers, 'runtime/build'];
const daemon = [...build, 'runtime/daemon'];

const mayImport: Readonly<Record<string, readonly string[]>> = {
  'runtime/base': [],
  'runtime/sys': base,
  'runtime/kernel': sys,
  'runtime/launch': kernel,
  'runtime/cgroups': cgroups,
  'runtime/network': cgroups,
  'runtime/storage': launch,
  'runtime/images': storage,
  'runtime/volumes': images,
  'runtime/containers': [...volumes, 'runtime/cgroups', 'runtime/network'],
  'runtime/build': containers,
  'runtime/daemon': build,
  'runtime/oci': containers,
  'runtime/cli': [...daemon, 'runtime/oci'],
  reports: [],
  harness: ['reports'],
  scenarios: ['harness', 'reports:types'],
  scripts: ['harness', 'reports'],
};

/** The only folders that may import a package, where that is limited. */
const packageDoors: Readonly<Record<string, readonly string[]>> = {
  koffi: ['runtime/sys'],
  ssh2: ['harness/ssh'],
  vitest: ['harness/run', 'scripts', 'scenarios'],
};

interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
}

/** One sentence for each import that goes where it must not. */
export function checkLayers(root: string): string[] {
  const files = globSync('{runtime,harness,scenarios,reports,scripts}/**/*.ts', { cwd: root });
  return files.flatMap((file) => {
    const imports = importsOf(readFileSync(join(root, file), 'utf8'));
    return imports.flatMap((found) => wrongImport(file, found) ?? []);
  });
}

function wrongImport(file: string, { specifier, typeOnly }: Import): string | undefined {
  const from = partOf(file);
  if (!specifier.startsWith('.')) return wrongPackage(file, specifier);
  const target = partOf(normalize(join(dirname(file), specifier)));
  if (from === undefined || target === undefined || from === target) return undefined;
  // A test may reach for the real thing of any part of its own program.
  if (isTest(file) && from.split('/')[0] === target.split('/')[0]) return undefined;
  const allowed = mayImport[from] ?? [];
  if (allowed.includes(target) || (typeOnly && allowed.includes(`${target}:types`))) return undefined;
  const wanted = allowed.length > 0 ? allowed.join(', ') : 'nothing of the project';
  return `${file}: imports ${specifier} of ${target}; ${from} may import ${wanted}`;
}

function wrongPackage(file: string, specifier: string): string | undefined {
  const name = specifier.split('/')[0] ?? specifier;
  const doors = packageDoors[name];
  if (!doors || isTest(file) || doors.some((door) => file.startsWith(`${door}/`))) return undefined;
  return `${file}: imports ${name}; only ${doors.join(', ')} may`;
}

function importsOf(source: string): Import[] {
  const pattern = /(?:^|\n)\s*(import|export)(\s+type)?\s[^;]*?from\s+'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/g;
  return [...source.matchAll(pattern)].map((match) => ({
    specifier: match[3] ?? match[4] ?? '',
    typeOnly: match[2] !== undefined,
  }));
}

function partOf(file: string): string | undefined {
  const [top, second] = file.split('/');
  return Object.keys(mayImport).find((part) => part === top || part === `${top}/${second}`);
}

function isTest(file: string): boolean {
  return /(\.test|conformance[a-z-]*|-suite)\.ts$/.test(file);
}
