import { drivers } from './drivers.ts';
import type { LayerBackend } from './layer-backend.ts';

/**
 * A process of the conformance suite that dies by SIGKILL in the middle of an operation:
 * `crash-child.ts <driver> <home> <runDir> <options as JSON pairs> <method>:<before|after> <create|remove> <id> [parent]`.
 * The point names a call to the driver's backend, so the records around it are as a real crash leaves them.
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
else await driver.remove(id);
// Reached only where the point was never passed: the suite takes a clean exit for a failure.

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
