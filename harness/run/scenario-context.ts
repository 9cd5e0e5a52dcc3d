import type Docker from 'dockerode';
import type { EngineControl } from '../engines/engine.ts';
import type { HostFacts } from '../hosts/host.ts';
import type { Cell } from '../matrix/cell.ts';
import type { Ssh } from '../ssh/ssh.ts';

/** What a scenario's body is given. Everything in it belongs to one run of one scenario and dies with it. */
export interface ScenarioContext {
  readonly cell: Cell;
  /**
   * The Docker client, through the forwarded socket. Every call fails as soon as the scenario's signal aborts or its
   * connection is cut; it works again after the engine was restarted.
   */
  readonly docker: Docker;
  readonly engine: EngineControl;
  readonly host: ScenarioHost;
  /** Reference of the test image (busybox, its usual applets linked), already loaded: `seatrial/busybox:latest`. */
  readonly image: string;
  /** Aborted when the scenario's time is up, the run is interrupted or the host is lost. */
  readonly signal: AbortSignal;
  /**
   * Names what the scenario does next; a failure's evidence carries the last one. With an action, an error is named by
   * it: `await t.step('start it again', () => container.start())`.
   */
  step(name: string): void;
  step<T>(name: string, action: () => Promise<T>): Promise<T>;
  /** Polls until `probe` answers something other than undefined or false. The sentence is in the error: `waited 5 s for <sentence>`. */
  waitFor<T>(
    sentence: string,
    probe: () => Promise<T | undefined | false>,
    options?: { readonly timeoutMs?: number; readonly intervalMs?: number },
  ): Promise<T>;
  /** Ends the scenario as `skip`. Only for what a probe found unsupported: what is missing and how it was probed. */
  skip(missing: { readonly missing: string; readonly probed: string }): never;
  /** Adds to the evidence of a failure: who holds the resource. */
  holders(lines: readonly string[]): void;
  /** A name for a container (or other resource) unique to this run of this scenario. */
  name(prefix: string): string;
  /**
   * Like `Math.random`, from the run's seed: the same in every run of this scenario with that seed. For moments and names; what it
   * chose belongs into a step's name.
   */
  random(): number;
  /** Runs when the scenario is over, whatever its end, before the clean-up of containers and the leak check. Last in, first out. */
  defer(undo: () => Promise<unknown>): void;
  /**
   * The leak check is made after every scenario by itself. A scenario that needs one in the middle (or that plants
   * a leak) asks for it here: what is on the host now and was not when the scenario began.
   */
  leaks(): Promise<readonly FoundLeak[]>;
}

export interface ScenarioHost extends Pick<Ssh, 'run' | 'ok' | 'spawn' | 'readFile' | 'writeFile'> {
  readonly name: string;
  readonly facts: HostFacts;
}

export interface FoundLeak {
  /** `mount`, `dm`, `loop`, `cgroup`, `link`, `nft`, `namespace`, `process`, `file`. */
  readonly kind: string;
  readonly what: string;
  readonly owner?: string;
}
