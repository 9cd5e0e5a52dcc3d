import { createRequire } from 'node:module';
import type { Plugin } from 'rolldown';

/** Where koffi's native binary is, seen from the folder of the bundle's file. */
export const koffiPath = (arch: string) => `../../build/koffi/linux_${arch}/koffi.node`;

/** Loads koffi's binary at the first use of it: a start-up snapshot cannot have native code in it. */
export function koffiPlugin(arch: string): Plugin {
  const names = Object.keys(createRequire(import.meta.url)('koffi') as object);
  return {
    name: 'koffi',
    load(id) {
      if (!/\/node_modules\/koffi\/.*\.js$/.test(id)) return null;
      return { code: moduleText(names, koffiPath(arch)), moduleType: 'js' };
    },
  };
}

const moduleText = (names: readonly string[], path: string) => `
import { join } from 'node:path';
const koffi = {};
const load = () => {
  const found = { exports: {} };
  process.dlopen(found, join(__dirname, ${JSON.stringify(path)}));
  return Object.defineProperties(koffi, Object.getOwnPropertyDescriptors(found.exports));
};
for (const name of ${JSON.stringify(names)}) {
  Object.defineProperty(koffi, name, { configurable: true, get: () => load()[name] });
}
export default koffi;
`;
