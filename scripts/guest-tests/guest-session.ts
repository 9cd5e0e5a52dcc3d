import { randomBytes } from 'node:crypto';
import { createRunFolder, reapRuns } from '../../harness/cli/run-folder.ts';
import { defaultCacheDir } from '../../harness/hosts/cache.ts';
import {
  type HostContext,
  type HostDefinition,
  hasDiskBay,
  type RunningHost,
} from '../../harness/hosts/host.ts';
import { createProviders } from '../../harness/hosts/providers.ts';
import { ensureSystemPackages } from '../../harness/provision/system-packages.ts';
import { packCheckout } from './checkout.ts';
import { modulesDisk } from './modules-disk.ts';

/** In the guest. Where every user may read it: some tests are another one. */
export const checkout = '/opt/checkout';
/** On the disk, where /tmp may be memory. */
const scratch = '/var/tmp/tests';

/**
 * Node takes types away by WebAssembly. Emulated, V8 now and then ends a program in the middle of changing hot functions of that to
 * optimised ones (`it->second.Size() > offset`, from Runtime_WasmTriggerTierUp), which a start does thirty times; without, it also costs less.
 */
const withoutTierUp = `--import=data:text/javascript,${['tier-up', 'dynamic-tiering']
  .map((what) => `process.getBuiltinModule('v8').setFlagsFromString('--no-wasm-${what}')`)
  .join(';')}`;

/** A guest with this checkout in it, and the disks it was given. */
export interface CheckoutGuest extends AsyncDisposable {
  readonly host: RunningHost;
  /** Of the spare disks, in their order: `/dev/vdc`. */
  readonly disks: readonly string[];
  /** Aborted with the run, and by a guest that breaks. */
  readonly signal: AbortSignal;
  /** Words for env(1): what this checkout's programs want there. */
  readonly environment: readonly string[];
}

export interface GuestWish {
  readonly definition: HostDefinition;
  /** Bytes of each empty disk more. */
  readonly disks: readonly number[];
  readonly progress: (message: string) => void;
}

/** One run of this checkout's programs in guests: what dead runs left is gone, and the checkout is packed as it is now. */
export class GuestSession implements AsyncDisposable {
  readonly #providers = createProviders();
  readonly #context: Omit<HostContext, 'progress'>;
  readonly #tree: Uint8Array;
  readonly #modules: string;
  readonly #ends: AsyncDisposableStack;

  private constructor(
    context: Omit<HostContext, 'progress'>,
    tree: Uint8Array,
    modules: string,
    ends: AsyncDisposableStack,
  ) {
    this.#context = context;
    this.#tree = tree;
    this.#modules = modules;
    this.#ends = ends;
  }

  /** @param kind what its things are labelled by */
  static async open(
    projectDir: string,
    kind: string,
    { signal, progress }: Pick<HostContext, 'signal' | 'progress'>,
  ): Promise<GuestSession> {
    const cacheDir = defaultCacheDir();
    const runId = `${kind}-${randomBytes(4).toString('hex')}`;
    await ensureSystemPackages('scenarios', progress);
    for (const provider of createProviders().values()) await provider.reap({ cacheDir, progress });
    await reapRuns(cacheDir);
    await using ends = new AsyncDisposableStack();
    const folder = ends.use(await createRunFolder(cacheDir, runId));
    const [tree, modules] = await Promise.all([
      packCheckout(projectDir, signal),
      modulesDisk(projectDir, { cacheDir, signal }),
    ]);
    const context = { cacheDir, runDir: folder.path, runId, signal };
    return new GuestSession(context, tree, modules, ends.move());
  }

  /** A fresh clone of the host. Throws what broke it. */
  async start({ definition, disks, progress }: GuestWish): Promise<CheckoutGuest> {
    const provider = this.#providers.get(definition.provider);
    if (!provider) throw new Error(`Cannot start ${definition.name}: no provider ${definition.provider}`);
    await using ends = new AsyncDisposableStack();
    const host = ends.use(await provider.start(definition, { ...this.#context, progress }));
    if (!hasDiskBay(host)) {
      throw new Error(`Cannot test in ${host.name}: its provider ${definition.provider} cannot plug disks`);
    }
    const { kernel, distribution, cgroups, accelerator } = host.facts;
    progress(`${distribution}, kernel ${kernel}, cgroup ${cgroups}, ${accelerator}`);
    const signal = AbortSignal.any([this.#context.signal, host.broken]);
    const modules = await host.plugDisk({ copyOf: this.#modules });
    const spares: string[] = [];
    for (const sizeBytes of disks) spares.push(await host.plugDisk({ sizeBytes }));
    const unpack = `mkdir -p ${checkout} ${scratch} && tar -x -C ${checkout} && mkdir ${checkout}/node_modules && mount "$1" ${checkout}/node_modules`;
    await host.ssh.ok(['sh', '-c', unpack, 'unpack', modules], { input: this.#tree, signal });
    const environment = [
      `PATH=${checkout}/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
      `TMPDIR=${scratch}`,
      'HOME=/root',
      'NO_COLOR=1',
      `NODE_OPTIONS=${withoutTierUp}`,
    ];
    const own = ends.move();
    return {
      ...{ host, disks: spares, signal, environment },
      [Symbol.asyncDispose]: () => own.disposeAsync(),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ends.disposeAsync();
  }
}
