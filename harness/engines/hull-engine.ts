import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { HostFacts } from '../hosts/host.ts';
import type { Ssh } from '../ssh/ssh.ts';
import { bundleHull, type HullBundle, hullProgram } from './bundle-hull.ts';
import { DaemonControl } from './daemon-control.ts';
import type { Engine, EngineControl, EngineDriver, EngineInstallOptions, EngineProgram } from './engine.ts';
import { StartupSnapshots, snapshotFile, unpackScript } from './startup-snapshot.ts';

const folder = '/opt/seatrial/hull';

/** Below the data root; the leak detector compares these by their names. A thousand files of busybox links would cost it 100 ms. */
const layerContent = [
  'vfs/layers/[^/]+',
  'overlay/l/[^/]+/diff',
  'btrfs/subvolumes/[^/]+',
  '(vfs|overlay|btrfs)/removing/[^/]+',
];

/** Without it V8 collects its young objects three times during a start. */
const nodeOptions = ['--min-semi-space-size=16'];

/** What makes a daemon's life of a few seconds cheaper; one for months would be started without. */
function environment({ accelerator }: HostFacts): Readonly<Record<string, string>> {
  if (!accelerator.startsWith('tcg')) return {};
  // Machine code that V8 makes must be translated by the emulator once more, which a life so short does not earn back.
  return { SEATRIAL_V8_FLAGS: '--no-sparkplug --no-maglev --no-opt' };
}

/** hull from a checkout: bundled once per run, uploaded where the host has not got that bundle. */
export class HullEngine implements Engine {
  readonly name = 'hull';
  readonly needs = { packages: [], kernelArgs: [] };
  readonly patience = 1;
  readonly #projectDir: string;
  readonly #snapshots: StartupSnapshots;
  readonly #bundles = new Map<string, Promise<HullBundle>>();

  constructor(projectDir: string, cacheDir: string) {
    this.#projectDir = projectDir;
    this.#snapshots = new StartupSnapshots(join(cacheDir, 'snapshots'));
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
    const snapshot = `${target}/${snapshotFile}`;
    const command = [node, ...nodeOptions];
    const there = await ssh.run(['test', '-e', snapshot], { signal });
    const program = { hash, v8: facts.v8, folder: target, file: hullProgram, node: command };
    if (there.exitCode !== 0 && !(await this.#snapshots.give(ssh, program, signal))) {
      progress(`upload hull ${hash} (${(tar.length / 1024 / 1024).toFixed(1)} MiB)`);
      const input = await promisify(gzip)(tar);
      await ssh.ok(['sh', '-c', unpackScript, 'unpack', target], { input, signal });
      progress('make a start-up snapshot of hull');
      await this.#snapshots.make(ssh, program, signal);
    }
    return {
      engine: this.name,
      executable: node,
      // A path to the program has its place in every command line of Node; this one is of no consequence.
      argv: [...command, '--snapshot-blob', snapshot, 'hull', 'daemon'],
      environment: environment(facts),
    };
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
