import { expect, it } from 'vitest';
import { acquireOptions, mirrorsFor, parseTargets } from './apt-sources.ts';

const sources = parseTargets(
  [
    'Example\tExample\thttps://packages.example/apt/',
    'Debian\tDebian\thttp://mirror.example/debian/',
    'Debian\tDebian-Security\thttp://mirror.example/debian-security/',
    'Debian\tDebian\thttp://mirror.example/debian/',
    '\t\thttp://never-fetched.example/',
  ].join('\n'),
);

it('takes the machine’s own Debian mirrors with another release’s name', () => {
  const signed = '[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]';
  expect(mirrorsFor('trixie', ['main', 'contrib'], sources)).toEqual([
    `deb ${signed} http://mirror.example/debian/ trixie main contrib`,
    `deb ${signed} http://mirror.example/debian-security/ trixie-security main contrib`,
  ]);
});

it('asks for no security suite of sid', () => {
  expect(mirrorsFor('sid', ['main'], sources)).toHaveLength(1);
});

it('leaves the choice to mmdebstrap where the machine has no Debian sources', () => {
  expect(
    mirrorsFor('trixie', ['main'], parseTargets('Ubuntu\tUbuntu\thttp://mirror.example/ubuntu/')),
  ).toEqual([]);
});

it('passes on how the machine reaches its mirrors, and nothing else of its configuration', () => {
  const dump = [
    'Acquire "";',
    'Acquire::http::Proxy "http://proxy.example:3142";',
    'Acquire::https::CaInfo "/etc/ca.pem";',
    'Acquire::http "";',
    'Acquire::Check-Valid-Until "false";',
    'Acquire::Languages:: "none";',
    'Dir::Cache "/var/cache";',
  ];
  expect(acquireOptions(dump.join('\n'))).toEqual([
    'Acquire::http::Proxy "http://proxy.example:3142"',
    'Acquire::https::CaInfo "/etc/ca.pem"',
    'Acquire::Check-Valid-Until "false"',
  ]);
});
