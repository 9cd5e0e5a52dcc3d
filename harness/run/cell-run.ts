import type { Evidence } from '../../reports/schema.ts';
import type { EngineProgram } from '../engines/engine.ts';
import type { HostFacts, SshAddress } from '../hosts/host.ts';
import type { Cell } from '../matrix/cell.ts';

/** What the runner hands to the worker of a cell: plain data, it crosses a process boundary. */
export interface CellRun {
  readonly projectDir: string;
  readonly cacheDir: string;
  readonly cell: Cell;
  readonly facts: HostFacts;
  readonly ssh: SshAddress;
  /** The host's Node. */
  readonly node: string;
  readonly program: EngineProgram;
  /** `area/scenario`, as many as the plan selected for this cell. */
  readonly scenarios: readonly string[];
  /** Of the run: what random choices come from, see random.ts. */
  readonly seed: number;
  /** How often each scenario runs. */
  readonly repeat: number;
  /** How often a failed one is tried again. */
  readonly retries: number;
  /** The test image as a docker-archive, on this machine. */
  readonly imageFile: string;
  /** A short-named folder on this machine for sockets. */
  readonly socketDir: string;
  /** The report's folder; evidence goes below it. */
  readonly reportDir: string;
}

/** How one run of a scenario ended, as the worker saw it; the runner adds the host's view. */
export interface ScenarioRecord {
  readonly outcome: 'pass' | 'fail' | 'skip' | 'flaky' | 'infra';
  readonly reason?: string;
  readonly durationMs: number;
  readonly attempts?: { readonly passed: number; readonly total: number };
  readonly evidence?: Omit<Evidence, 'rerun'>;
}

declare module 'vitest' {
  interface ProvidedContext {
    cell: CellRun;
  }
  interface TaskMeta {
    record?: ScenarioRecord;
  }
}
