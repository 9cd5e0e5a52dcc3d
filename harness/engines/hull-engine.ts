import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { HostFacts } from '../hosts/host.ts';
import type { Ssh } from '../ssh/ssh.ts';
import { bundleHull, type HullBundle, hullProgram } from './bundle-hull.ts';
import { CompileCache, compileCacheFolder } from './compile-cache.ts';
import { DaemonControl, pidFolder } from './daemon-control.ts';
import { daemonScript } from './daemon-script.ts';
import type { Engine, EngineControl, EngineDriver, EngineInstallOptions, EngineProgram } from './engine.ts';

const folder = '/opt/seatrial/hull';

/** Below the data root; the leak detector compares these by their names. A thousand files of busybox links would cost it 100 ms. */
const layerContent = [
  'vfs/layers/[^/]+',
  'overlay/l/[^/]+/diff',
  'btrfs/subvolumes/[^/]+',
  '(vfs|overlay|btrfs)/removing/[^/]+',
];

/** What makes a daemon's life of a few seconds cheaper; a daemon for months would be started without. */
function nodeOptions({ accelerator }: HostFacts): readonly string[] {
  // Without it V8 collects its young objects three times during a start.
  const options = ['--min-semi-space-size=16'];
  if (!accelerator.startsWith('tcg')) return options;
  // Machine code that V8 makes must be translated by the emulator once more, which a life so short does not earn back.
  return [...options, '--no-sparkplug', '--no-maglev', '--no-opt'];
}

/** hull from a checkout: bundled once per run, uploaded where the host has not got that bundle. */
export class HullEngine implements Engine {
  readonly name = 'hull';
  readonly needs = { packages: [], kernelArgs: [] };
  readonly patience = 1;
  readonly #projectDir: string;
  readonly #compileCache: CompileCache;
  readonly #bundles = new Map<string, Promise<HullBundle>>();

  constructor(projectDir: string, cacheDir: string) {
    this.#projectDir = projectDir;
    this.#compileCache = new CompileCache(join(cacheDir, 'compile-cache'));
  }

  async build(arch: HostFacts['arch']): Promise<void> {
    await this.#bundle(arch);
  }

  #bundle(arch: HostFacts['arch']): Promise<HullBundle> {
    const bundle = this.#bundles.get(arch) ?? bundleHull(this.#projectDir, arch);
    this.#bundles.set(arch, bundle);
    return bundle;
  }

  async install(ssh: Ssh, { facts, node, progress, signal }: EngineInstallOptions): Promise<EngineProgram> {
    const { hash, tar } = await this.#bundle(facts.arch);
    const target = `${folder}/${hash}`;
    const program = `${target}/${hullProgram}`;
    const there = await ssh.run(['test', '-e', program], { signal });
    if (there.exitCode !== 0) {
      progress(`upload hull ${hash} (${(tar.length / 1024 / 1024).toFixed(1)} MiB)`);
      const unpack = 'mkdir -p "$1.new" && tar -x -C "$1.new" && rm -rf "$1" && mv "$1.new" "$1"';
      await ssh.ok(['sh', '-c', unpack, 'unpack', target], { input: tar, signal });
    }
    await this.#compileCache.give(ssh, hash);
    return {
      engine: this.name,
      executable: node,
      argv: [node, ...nodeOptions(facts), program, 'daemon'],
      environment: { NODE_COMPILE_CACHE: compileCacheFolder },
      version: hash,
    };
  }

  async finish(ssh: Ssh, { version }: EngineProgram): Promise<void> {
    // Node writes its compile cache when it exits.
    await ssh.ok(['sh', '-c', daemonScript, 'others', `${pidFolder}/none`, '']);
    await this.#compileCache.take(ssh, version);
  }

  open(ssh: Ssh, program: EngineProgram, driver: EngineDriver, ping: () => Promise<void>): EngineControl {
    const dataRoot = `/var/lib/seatrial/hull/${driver.name}`;
    const execRoot = `/run/seatrial/hull/${driver.name}`;
    const socket = `/run/seatrial/hull-${driver.name}.sock`;
    const storage = Object.entries(driver.options).flatMap(([key, value]) => [
      '--storage-opt',
      `${key}=${value}`,
    ]);
    const roots = ['--data-root', dataRoot, '--exec-root', execRoot, '-H', `unix://${socket}`];
    return new DaemonControl(
      ssh,
      {
        name: this.name,
        driver: driver.name,
        fileSystem: driver.fileSystem,
        environment: program.environment,
        argv: [...program.argv, '-s', driver.name, ...storage, ...roots],
        executable: program.executable,
        dataRoot,
        execRoot,
        socket,
        logFile: `/var/log/seatrial/hull-${driver.name}.log`,
        cgroup: `hull-${createHash('sha256').update(dataRoot).digest('hex').slice(0, 8)}`,
        stateFolders: [{ path: dataRoot, opaque: layerContent }, { path: execRoot }],
        noise: [],
        startMs: 90_000,
      },
      ping,
    );
  }
}
