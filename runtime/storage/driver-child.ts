import { drivers } from './drivers.ts';
import type { LayerBackend } from './layer-backend.ts';

/**
 * Another daemon, for tests: opens a driver and dies by SIGKILL, of itself or of the test.
 * `driver-child.ts <driver> <home> <runDir> <options as JSON pairs> <point> <create|remove|acquire|open> <id> [parent]`.
 *
 * A point `<method>:<before|after>` names a call to the driver's backend, in the middle of which it dies: the records are
 * as a real crash leaves them. With the point `none` it writes what it acquired as JSON to its standard output and stays.
 */
const [name = '', home = '', runDir = '', options = '[]', point = '', verb = '', id = '', parent] =
  process.argv.slice(2);
const [method, when] = point.split(':');

const open = drivers.get(name);
if (!open) throw new Error(`no driver ${name}`);
const driver = await open(
  { home, runDir, options: new Map(JSON.parse(options) as [string, string][]) },
  { decorate },
);
if (verb === 'create') await driver.create(id, parent);
if (verb === 'remove') await driver.remove(id);
const acquired = verb === 'acquire' ? await driver.acquire(id) : {};
// Where a point was given it was never passed: the test takes the exit for a failure.
if (point === 'none') {
  process.stdout.write(`${JSON.stringify(acquired)}\n`);
  setInterval(() => {}, 1000);
}

function decorate(backend: LayerBackend): LayerBackend {
  return new Proxy(backend, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        if (key !== method) return Reflect.apply(value, target, args);
        if (when === 'before') die();
        return Promise.resolve(Reflect.apply(value, target, args)).then(die);
      };
    },
  });
}

function die(): never {
  process.kill(process.pid, 'SIGKILL');
  // The signal is delivered before the call returns; nothing below runs.
  throw new Error('still alive');
}
