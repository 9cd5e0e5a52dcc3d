import { describe, expect, test } from 'vitest';
import { formatReference, parseReference } from './reference.ts';

const digest = `sha256:${'a'.repeat(64)}`;

describe('parseReference', () => {
  test.each([
    ['busybox', 'busybox:latest'],
    ['busybox:1.36', 'busybox:1.36'],
    ['docker.io/library/busybox', 'busybox:latest'],
    ['index.docker.io/team/name:v1', 'team/name:v1'],
    ['localhost:5000/team/name', 'localhost:5000/team/name:latest'],
    ['localhost:5000/team/name:v1', 'localhost:5000/team/name:v1'],
    ['a__b/c-d.e_f:T_a.g-1', 'a__b/c-d.e_f:T_a.g-1'],
  ])('reads %s as %s', (text, full) => {
    expect(formatReference(parseReference(text))).toBe(full);
  });

  test('reads a digest', () => {
    expect(parseReference(`busybox@${digest}`)).toEqual({ repository: 'busybox', tag: 'latest', digest });
  });

  test.each([
    '',
    ':tag',
    'Upper',
    'name:',
    'name:-tag',
    'a//b',
    '../evil',
    'name@sha256:short',
    'a b',
    `${'n'.repeat(256)}`,
  ])('refuses %j', (text) => {
    expect(() => parseReference(text)).toThrow(expect.objectContaining({ kind: 'invalid' }));
  });
});
