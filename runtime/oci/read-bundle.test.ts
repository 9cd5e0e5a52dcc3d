import { describe, expect, it } from 'vitest';
import { checkSpec } from './read-bundle.ts';
import { defaultSpec } from './spec-template.ts';

const good = JSON.parse(JSON.stringify(defaultSpec)) as Record<string, unknown>;
const withProcess = (more: object) => ({ ...good, process: { ...(good['process'] as object), ...more } });
const withLinux = (more: object) => ({ ...good, linux: { ...(good['linux'] as object), ...more } });

describe('a specification', () => {
  it.each([
    ['nothing at all', undefined, ': found nothing, wanted an object'],
    ['a list', [], ': found a list, wanted an object'],
    ['another version', { ...good, ociVersion: '2.0.0' }, 'ociVersion: found "2.0.0", wanted version 1.x.y'],
    ['no process', { ...good, process: undefined }, 'process: found nothing, wanted an object'],
    ['a relative folder', withProcess({ cwd: 'home' }), 'process.cwd: found "home", wanted an absolute path'],
    ['no command', withProcess({ args: [] }), 'process.args: found 0 entries, wanted at least 1'],
    ['a number in it', withProcess({ args: ['a', 7] }), 'process.args[1]: found 7, wanted a text'],
    [
      'a user below 0',
      withProcess({ user: { uid: -1 } }),
      'process.user.uid: found -1, wanted a whole number from 0',
    ],
    [
      'a score beyond the range',
      withProcess({ oomScoreAdj: 1001 }),
      'process.oomScoreAdj: found 1001, wanted a whole number from -1000 to 1000',
    ],
    [
      'an unknown namespace',
      withLinux({ namespaces: [{ type: 'pid' }, { type: 'disk' }] }),
      'linux.namespaces[1].type: found "disk", wanted one of "mount", "pid", "network", "ipc", "uts", "user", "cgroup", "time"',
    ],
    [
      'a sysctl that is a number',
      withLinux({ sysctl: { 'net.core.somaxconn': 5 } }),
      'linux.sysctl.net.core.somaxconn: found 5, wanted a text',
    ],
    [
      'a hook without patience',
      { ...good, hooks: { prestart: [{ path: '/x', timeout: 0 }] } },
      'hooks.prestart[0].timeout: found 0, wanted a whole number from 1',
    ],
    ['null where there must be a text', { ...good, hostname: null }, 'hostname: found null, wanted a text'],
  ])('%s is refused by its name', (_, value, message) => {
    expect(() => checkSpec(value, 'config.json')).toThrow(`Cannot use config.json: ${message}`);
  });

  it("may have null where Go's encoder writes it, an empty path, and keys that we do not know", () => {
    const spec = checkSpec(
      { ...withLinux({ namespaces: [{ type: 'uts', path: '' }], devices: null }), mounts: null, later: 1 },
      'config.json',
    );
    expect(spec.linux.namespaces).toEqual([{ type: 'uts' }]);
    expect(spec).not.toHaveProperty('mounts');
  });
});
