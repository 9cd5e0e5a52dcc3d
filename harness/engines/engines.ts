import { bundleHull } from './bundle-hull.ts';
import type { Engine } from './engine.ts';
import { HullEngine } from './hull-engine.ts';

/** The engine of a name in hosts.yaml. `projectDir` is the checkout that hull is built from. */
export function createEngine(name: string, projectDir: string, arch: 'x64' | 'arm64'): Engine {
  switch (name) {
    case 'hull': {
      let bundle: ReturnType<typeof bundleHull> | undefined;
      return new HullEngine(() => (bundle ??= bundleHull(projectDir, arch)));
    }
    default:
      throw new Error(`Cannot use engine ${JSON.stringify(name)}: wanted hull`);
  }
}
