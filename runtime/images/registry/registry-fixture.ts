import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { Cleanup } from '../../base/cleanup.ts';
import type { StorageDriver } from '../../storage/driver.ts';
import { openDriver } from '../../storage/open-driver.ts';
import type { ImageStore } from '../image-store.ts';
import { openImageStore } from '../open-image-store.ts';
import type { Credentials } from './credentials.ts';
import type { ImageDepot } from './depot.ts';
import { quickTiming } from './http-fixture.ts';
import { type InsecureRegistries, parseInsecureRegistries } from './insecure.ts';
import { Partials } from './partials.ts';
import { parsePlatform } from './platform.ts';
import type { ProgressLine } from './progress.ts';
import { Registry } from './registry.ts';
import { parseRemoteName } from './remote-name.ts';

/** The account of registries with `htpasswd`. */
export const account: Credentials = { kind: 'basic', username: 'sailor', password: 'anchor' };
// crypt(3) of "anchor": docker-registry takes bcrypt alone, and Node has none.
const htpasswd = 'sailor:$2y$05$abcdefghijklmnopqrstuu7vDnq9RZnLX.d2c2WnMtyjw9yIpG07m\n';

export interface RegistryFixtureOptions {
  readonly htpasswd?: boolean;
  /** Files of a certificate for 127.0.0.1. */
  readonly tls?: { readonly certificate: string; readonly key: string };
  readonly token?: { readonly realm: string; readonly certificate: string };
}

/** For tests: Debian's docker-registry on a free port of 127.0.0.1, its storage in a temporary folder. */
export class RealRegistry implements AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(port: number, child: ChildProcess, folder: string) {
    this.port = port;
    this.host = `127.0.0.1:${port}`;
    this.#child = child;
    this.#folder = folder;
  }

  static async start(options: RegistryFixtureOptions = {}): Promise<RealRegistry> {
    await using undo = new Cleanup();
    const folder = await mkdtemp(join(tmpdir(), 'hull-registry-'));
    undo.push(() => rm(folder, { recursive: true, force: true }));
    await writeFile(join(folder, 'htpasswd'), htpasswd);
    // JSON is YAML.
    await writeFile(join(folder, 'config.yml'), JSON.stringify(configOf(folder, options)));
    const child = spawn('docker-registry', ['serve', join(folder, 'config.yml')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    undo.push(() => child.kill('SIGKILL'));
    const log: string[] = [];
    for await (const line of createInterface({ input: child.stderr })) {
      log.push(line);
      const port = /listening on 127\.0\.0\.1:(\d+)/.exec(line)?.[1];
      if (port === undefined) continue;
      child.stderr.resume();
      undo.commit();
      return new RealRegistry(Number(port), child, folder);
    }
    throw new Error(`no docker-registry:\n${log.join('\n')}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Why there is none here, or ''. */
export async function whyNoRegistry(): Promise<string> {
  if (process.getuid?.() !== 0) return 'needs root to mount';
  const tried = await execa('docker-registry', ['--version'], { reject: false });
  return tried.failed ? 'docker-registry is not installed' : '';
}

export async function isInstalled(program: string): Promise<boolean> {
  return !(await execa(program, [program === 'openssl' ? 'version' : '--version'], { reject: false })).failed;
}

function configOf(folder: string, { htpasswd: withUsers, tls, token }: RegistryFixtureOptions): object {
  const issuer = { service: 'test-registry', issuer: 'test-issuer' };
  return {
    version: 0.1,
    log: { level: 'info', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(folder, 'storage') }, delete: { enabled: true } },
    http: {
      addr: '127.0.0.1:0',
      secret: 'of the test',
      ...(tls && { tls: { certificate: tls.certificate, key: tls.key } }),
    },
    ...(withUsers && { auth: { htpasswd: { realm: 'test', path: join(folder, 'htpasswd') } } }),
    ...(token && { auth: { token: { realm: token.realm, rootcertbundle: token.certificate, ...issuer } } }),
  };
}

/** A key and a certificate for 127.0.0.1, signed by itself. */
export async function makeCertificate(
  folder: string,
): Promise<{ readonly certificate: string; readonly key: string }> {
  const [certificate, key] = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
  await execa('openssl', [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=test'],
    ...['-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', certificate],
  ]);
  return { certificate, key };
}

/** What a proxied request is: its first line and headers. */
export interface ProxiedRequest {
  readonly line: string;
  readonly range: string | undefined;
}

export interface Cut {
  readonly side: 'request' | 'response';
  /** That many bytes pass before both ends are cut. */
  readonly after: number;
}

/** For tests: TCP to a server on 127.0.0.1, that sees each request's head and cuts the connection where it is told to. */
export class CuttingProxy implements AsyncDisposable {
  readonly requests: ProxiedRequest[] = [];
  readonly host: string;
  /** Asked for each request: where to cut it. */
  cut: (request: ProxiedRequest) => Cut | undefined = () => undefined;
  readonly #close: () => void;

  private constructor(port: number, close: () => void) {
    this.host = `127.0.0.1:${port}`;
    this.#close = close;
  }

  static async start(target: number): Promise<CuttingProxy> {
    const open = new Set<Socket>();
    const server = createServer((client) => self.#serve(client, connect(target, '127.0.0.1'), open));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    // Listening on TCP it has an address of this shape.
    const { port } = server.address() as AddressInfo;
    const self = new CuttingProxy(port, () => {
      for (const socket of open) socket.destroy();
      server.close();
    });
    return self;
  }

  /** Of the requests that matched, as `bytes=5-`, or '-' for none. */
  rangesOf(pattern: RegExp): readonly string[] {
    return this.requests.filter(({ line }) => pattern.test(line)).map(({ range }) => range ?? '-');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close();
  }

  #serve(client: Socket, server: Socket, open: Set<Socket>): void {
    const both = [client, server];
    const end = () => {
      for (const socket of both) socket.destroy();
    };
    for (const socket of both) {
      open.add(socket);
      socket.on('error', end);
      socket.on('close', () => {
        open.delete(socket);
        end();
      });
    }
    let cut: Cut | undefined;
    let passed = 0;
    const pass = (side: Cut['side'], to: Socket) => (data: Buffer) => {
      if (side === 'request') {
        const request = headOf(data);
        if (request) {
          this.requests.push(request);
          cut = this.cut(request);
          passed = 0;
        }
      }
      if (cut?.side !== side) return void to.write(data);
      const rest = cut.after - passed;
      passed += data.length;
      if (passed < cut.after) return void to.write(data);
      to.write(data.subarray(0, Math.max(rest, 0)), end);
    };
    client.on('data', pass('request', server));
    server.on('data', pass('response', client));
  }
}

function headOf(data: Buffer): ProxiedRequest | undefined {
  const text = data.toString('latin1', 0, 8192);
  const line = /^(?:GET|HEAD|POST|PUT|PATCH|DELETE) \S+ HTTP\/1\.1\r\n/.exec(text)?.[0];
  if (line === undefined) return undefined;
  return { line: line.trim(), range: /\r\nRange: (\S+)\r\n/i.exec(text.split('\r\n\r\n')[0] ?? '')?.[1] };
}

/** For tests: an image store on vfs in a temporary folder, and the registry client over it. */
export class TestPlace implements AsyncDisposable {
  readonly folder: string;
  readonly images: string;
  readonly driver: StorageDriver;
  readonly store: ImageStore & ImageDepot;
  readonly partials: Partials;
  readonly registry: Registry;
  readonly lines: ProgressLine[] = [];

  private constructor(
    folder: string,
    driver: StorageDriver,
    store: ImageStore & ImageDepot,
    insecure: InsecureRegistries,
  ) {
    this.folder = folder;
    this.images = join(folder, 'data/images');
    this.driver = driver;
    this.store = store;
    this.partials = new Partials(this.images);
    this.registry = new Registry({
      depot: store,
      partials: this.partials,
      insecure,
      certificates: join(folder, 'certs.d'),
      timing: quickTiming,
    });
  }

  static async open(insecure = parseInsecureRegistries([])): Promise<TestPlace> {
    const folder = await mkdtemp(join(tmpdir(), 'hull-registry-client-'));
    const { driver } = await openDriver('vfs', {
      dataRoot: join(folder, 'data'),
      execRoot: join(folder, 'exec'),
    });
    await driver.reconcile(new Set());
    const store = await openImageStore({ root: join(folder, 'data/images'), driver });
    await store.reconcile();
    return new TestPlace(folder, driver, store, insecure);
  }

  async pull(
    name: string,
    {
      credentials,
      platform,
      signal,
    }: {
      readonly credentials?: Credentials;
      readonly platform?: string;
      readonly signal?: AbortSignal;
    } = {},
  ): Promise<string | undefined> {
    const [first] = await this.registry.pull(parseRemoteName(name), {
      credentials,
      platform: platform === undefined ? undefined : parsePlatform(platform),
      signal: signal ?? new AbortController().signal,
      progress: (line) => this.lines.push(line),
    });
    return first?.id;
  }

  async push(name: string, credentials?: Credentials): Promise<void> {
    await this.registry.push(parseRemoteName(name), {
      credentials,
      signal: new AbortController().signal,
      progress: (line) => this.lines.push(line),
    });
  }

  /** Statuses of the lines since the last time it was asked, without the bytes. */
  statuses(): readonly string[] {
    const taken = this.lines.splice(0);
    return taken
      .filter(({ progressDetail }) => progressDetail?.current === undefined)
      .flatMap(({ status }) => (status === undefined ? [] : [status]));
  }

  async readJson(path: string): Promise<unknown> {
    return JSON.parse(await readFile(join(this.images, path), 'utf8'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.driver.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}
