import { existsSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { link, list, read, readOnce } from './read.ts';
import type { Thing } from './thing.ts';

/** Links, IPv4 addresses and routes of the host's network namespace. */
export function* linkThings(): Generator<Thing> {
  for (const name of list('/sys/class/net')) {
    const value = (file: string) => readOnce(`/sys/class/net/${name}/${file}`)?.trim() ?? '';
    const index = value('ifindex');
    // bonding_masters is a plain file among the links.
    if (index === '') continue;
    const flags = Number.parseInt(value('flags'), 16);
    const port = `/sys/class/net/${name}/master`;
    const master = existsSync(port) ? link(port)?.replace(/^.*\//, '') : undefined;
    const state = [
      `mtu ${value('mtu')}`,
      (flags & 0x1) === 0 ? 'down' : 'up',
      ...((flags & 0x100) === 0 ? [] : ['promiscuous']),
      ...(master === undefined ? [] : [`port of ${master}`]),
    ].join(', ');
    yield { kind: 'link', id: `${name}@${index}`, like: name, what: `${name} (${state})`, state };
  }
  for (const [name, addresses] of Object.entries(networkInterfaces()))
    for (const { cidr, family } of addresses ?? []) {
      const what = `address ${cidr} on ${name}`;
      if (family === 'IPv4') yield { kind: 'link', id: what, like: what, what };
    }
  for (const line of (read('/proc/net/route') ?? '').trim().split('\n').slice(1)) {
    const [name = '', destination = '', gateway = '', , , , , mask = ''] = line.split('\t');
    const via = gateway === '00000000' ? '' : ` via ${dotted(gateway)}`;
    const what = `route ${dotted(destination)} mask ${dotted(mask)}${via} on ${name}`;
    yield { kind: 'link', id: what, like: what, what };
  }
}

/** /proc/net writes addresses as the machine's own (little-endian) numbers. */
function dotted(hex: string): string {
  return (hex.match(/../g) ?? [])
    .reverse()
    .map((byte) => Number.parseInt(byte, 16))
    .join('.');
}

/** Listening sockets in the host's network namespace: unix by path, TCP and UDP by address. */
export function* socketThings(): Generator<Thing> {
  for (const line of (read('/proc/net/unix') ?? '').split('\n').slice(1)) {
    const [, , , flags = '', , , inode = '', path = ''] = line.trim().split(/\s+/);
    const listening = (Number.parseInt(flags, 16) & 0x10000) !== 0;
    if (!listening) continue;
    const what = `unix socket ${path === '' ? 'without a name' : path}`;
    yield { kind: 'socket', id: `socket:[${inode}]`, like: what, what };
  }
  for (const protocol of ['tcp', 'tcp6', 'udp', 'udp6']) {
    const wanted = protocol.startsWith('tcp') ? '0A' : '07';
    for (const line of (read(`/proc/net/${protocol}`) ?? '').split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      if (fields[3] !== wanted) continue;
      const [address = '', port = ''] = (fields[1] ?? '').split(':');
      const where = address.length === 8 ? dotted(address) : address;
      const what = `${protocol} ${where} port ${Number.parseInt(port, 16)}`;
      yield { kind: 'socket', id: `socket:[${fields[9]}]`, like: what, what };
    }
  }
}
