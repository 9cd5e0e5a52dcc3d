import { describe, expect, test } from 'vitest';
import { parseBind } from './parse-bind.ts';

describe('parseBind', () => {
  test.each([
    [
      '/a:/b',
      { type: 'bind', source: '/a', destination: '/b', readOnly: false, propagation: 'rprivate', mode: '' },
    ],
    ['/a//c/../d/:/b/./x/', { source: '/a/d', destination: '/b/x', makeSource: true }],
    ['/a:/b:ro,rslave,z', { readOnly: true, propagation: 'rslave', mode: 'ro,rslave,z' }],
    ['/a:/b:rw,cached', { readOnly: false, readOnlyBelow: 'if-possible' }],
    ['data:/b', { type: 'volume', name: 'data', copy: true, mode: 'z', readOnly: false }],
    ['data:/b:nocopy,ro', { type: 'volume', name: 'data', copy: false, readOnly: true, mode: 'nocopy,ro' }],
  ])('%s', (bind, wanted) => {
    expect(parseBind(bind, '')).toMatchObject(wanted);
  });

  test.each([
    ['/a', /invalid volume specification: '\/a'/],
    ['/a:ro', /invalid volume specification: '\/a:ro'/],
    ['', /invalid volume specification: ''/],
    [':/b', /invalid volume specification/],
    ['a:b:c:d', /invalid volume specification/],
    ['/a:/b:sparkling', /invalid mode: sparkling/],
    ['/a:/b:ro,rw', /invalid mode: ro,rw/],
    ['/a:/b:rslave,rshared', /invalid mode/],
    ['/a:/b:ro,', /invalid mode/],
    ['/a:/', /destination can't be '\/'/],
    ['/a:/b/../..', /destination can't be '\/'/],
    ['/a:b/c', /invalid mount path: 'b\/c' mount path must be absolute/],
    ['x:/b', /too short/],
    ['.a:/b', /invalid characters for a local volume name/],
    ['a/b:/c', /If you intended to pass a host directory, use absolute path/],
    [`${'v'.repeat(256)}:/c`, /256 characters, wanted at most 255/],
    ['data:/b:rshared', /BindOptions must not be specified/],
  ])('%j is refused', (bind, message) => {
    expect(() => parseBind(bind, '')).toThrow(
      expect.objectContaining({ kind: 'invalid', message: expect.stringMatching(message) }),
    );
  });
});
