import { describe, expect, test } from 'vitest';
import { formatReference, parseReference, splitRepository } from './reference.ts';

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
    ['library/busybox', 'busybox:latest'],
    ['docker.io/library/team/name', 'library/team/name:latest'],
    ['127.0.0.1:5000/busybox', '127.0.0.1:5000/busybox:latest'],
    ['localhost/busybox', 'localhost/busybox:latest'],
    ['[::1]:5000/busybox:v1', '[::1]:5000/busybox:v1'],
    ['Host/busybox', 'Host/busybox:latest'],
    ['5000/busybox', '5000/busybox:latest'],
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

  test.each([
    ['-bad.example:5000/name', 'registry "-bad.example:5000"'],
    ['host:99999/name', 'registry "host:99999"'],
    ['host.example/Name', 'repository "host.example/Name", wanted it in lower case'],
    ['host.example//name', 'repository "host.example//name"'],
    ['a'.repeat(64), 'image id'],
    [`name:tag@md5:${'a'.repeat(32)}`, 'digest "md5:'],
    ['name:t@g', 'digest "g"'],
    [`name:${'t'.repeat(129)}`, 'tag "tt'],
  ])('names the wrong part of %j', (text, part) => {
    expect(() => parseReference(text)).toThrow(part);
  });
});

describe('splitRepository', () => {
  test.each([
    ['busybox', 'docker.io', 'library/busybox'],
    ['team/name', 'docker.io', 'team/name'],
    ['localhost/name', 'localhost', 'name'],
    ['host:5000/team/name', 'host:5000', 'team/name'],
  ])('%s is of %s: %s', (repository, host, path) => {
    expect(splitRepository(repository)).toEqual({ host, path });
  });
});
