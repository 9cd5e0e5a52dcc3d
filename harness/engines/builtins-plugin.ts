import type { Plugin } from 'rolldown';

const prefix = '\0';

/** Getters of node:http that load all of undici; Node's own import of a builtin asks every one of them. */
const lazy: ReadonlySet<string> = new Set(['WebSocket', 'CloseEvent', 'MessageEvent']);

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
      return `${prefix}${id}`;
    },
    load(id) {
      if (!id.startsWith(`${prefix}node:`)) return null;
      const name = id.slice(prefix.length);
      const names = Object.keys(process.getBuiltinModule(name) ?? {}).filter(
        (key) => !lazy.has(key) && key !== 'default' && /^[A-Za-z_$][\w$]*$/.test(key),
      );
      const get = `process.getBuiltinModule(${JSON.stringify(name)})`;
      return {
        code: `const m = ${get};\nexport default m;\nexport const { ${names.join(', ')} } = m;`,
        moduleType: 'js',
      };
    },
  };
}
