import type { Plugin } from 'rolldown';

const prefix = '\0';

/** Big ones that most starts never use: loaded at the first call of one of their functions. */
const lateModules: ReadonlySet<string> = new Set([
  'node:child_process',
  'node:dns/promises',
  'node:fs/promises',
  'node:http',
  'node:https',
  'node:net',
  'node:readline',
  'node:timers/promises',
  'node:tls',
  'node:tty',
  'node:zlib',
]);

/**
 * Takes Node's builtins from `process.getBuiltinModule` in place of import: that asks for no export nobody uses. With the
 * compile cache a start of hull costs 12 ms of CPU beyond Node's own instead of 73, and seven times that in an emulated guest.
 */
export function builtinsPlugin(): Plugin {
  return {
    name: 'builtins',
    resolveId(id, _importer, { kind }) {
      // A require asks for no export, and wants the builtin itself. The bundler's own prologue imports node:module.
      if (kind === 'require-call' || !id.startsWith('node:') || id === 'node:module') return null;
      return { id: `${prefix}${id}`, moduleSideEffects: false };
    },
    load(id) {
      if (!id.startsWith(`${prefix}node:`)) return null;
      return { code: moduleText(id.slice(prefix.length)), moduleType: 'js' };
    },
  };
}

/** An export that nobody uses is left out: so marked, asking for it has no effect. Some are getters that load all of undici. */
function moduleText(name: string): string {
  const module: object = process.getBuiltinModule(name) ?? {};
  const all: Record<string, PropertyDescriptor> = Object.getOwnPropertyDescriptors(module);
  const names = Object.keys(all).filter((key) => key !== 'default' && /^[A-Za-z_$][\w$]*$/.test(key));
  const get = `process.getBuiltinModule(${JSON.stringify(name)})`;
  const late = lateModules.has(name);
  // A getter loads what it answers, too.
  const isLate = ({ value, get }: PropertyDescriptor) => typeof value === 'function' || get !== undefined;
  return [
    late ? `const m = () => ${get};` : `const m = /*@__PURE__*/ (() => ${get})();`,
    late ? `export default /*@__PURE__*/ m();\n${lateText}` : 'export default m;',
    ...names.map((key) =>
      late && isLate(all[key] ?? {})
        ? `export const ${key} = /*@__PURE__*/ late(() => m().${key});`
        : `export const ${key} = /*@__PURE__*/ (() => ${late ? 'm()' : 'm'}.${key})();`,
    ),
  ].join('\n');
}

/** Stands for a function or class until something is done with it. */
const lateText = `const late = (get) => {
  const stand = new Proxy(function () {}, {
    apply: (_, self, args) => Reflect.apply(get(), self, args),
    construct: (_, args, target) => Reflect.construct(get(), args, target === stand ? get() : target),
    get: (_, key) => get()[key],
  });
  return stand;
};`;
