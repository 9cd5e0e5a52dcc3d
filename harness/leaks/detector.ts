import { createInterface } from 'node:readline';
import type { Ssh, SshProcess } from '../ssh/ssh.ts';
import type { Answer, Answers, Ready, Request } from './agent/protocol.ts';
import { bundleLeakAgent } from './agent-bundle.ts';
import { hostNoise } from './host-noise.ts';
import type { Allowance, DiffOptions, LeakDetector, LeakDetectorOptions, Snapshot } from './types.ts';

/** Writes the agent into the host, starts it, and speaks to it until disposed. Throws when the agent cannot start. */
export async function connectLeakDetector(
  ssh: Pick<Ssh, 'spawn' | 'writeFile'>,
  {
    stateFolders,
    ignore = [],
    node = '/opt/seatrial/bin/node',
    agentPath = '/opt/seatrial/leak-agent.mjs',
  }: LeakDetectorOptions,
): Promise<LeakDetector> {
  await ssh.writeFile(agentPath, await bundleLeakAgent());
  const connection = new AgentConnection(await ssh.spawn([node, agentPath]));
  const detector = new ResidentLeakDetector(connection, [...hostNoise, ...ignore]);
  await connection.ready;
  await connection.ask({ command: 'configure', stateFolders });
  return detector;
}

class ResidentLeakDetector implements LeakDetector {
  readonly #agent: AgentConnection;
  readonly #ignore: readonly Allowance[];
  notLookedAt: readonly string[] = [];
  last: Snapshot | undefined;

  constructor(agent: AgentConnection, ignore: readonly Allowance[]) {
    this.#agent = agent;
    this.#ignore = ignore;
  }

  async snapshot(): Promise<Snapshot> {
    return this.#seen(await this.#agent.ask({ command: 'snapshot' }));
  }

  async diff(since: Snapshot, { deadlineMs = 10_000, ignore = [] }: DiffOptions = {}) {
    const { differences, look } = await this.#agent.ask({
      command: 'diff',
      since: since.id,
      deadlineMs,
      ignore: [...this.#ignore, ...ignore],
    });
    this.#seen(look);
    return differences;
  }

  #seen({ notLookedAt, ...snapshot }: Answers['snapshot']): Snapshot {
    this.notLookedAt = notLookedAt;
    this.last = snapshot;
    return snapshot;
  }

  holders(path: string) {
    return this.#agent.ask({ command: 'holders', path });
  }

  mountinfo() {
    return this.#agent.ask({ command: 'mountinfo' });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent[Symbol.asyncDispose]();
  }
}

interface Pending {
  readonly resolve: (result: never) => void;
  readonly reject: (error: Error) => void;
}

type Command = Request['command'];
type WithoutNumber<R> = R extends unknown ? Omit<R, 'number'> : never;

/** The line protocol with the agent. When the agent ends, every question that is open fails with its last words. */
class AgentConnection implements AsyncDisposable {
  readonly #process: SshProcess;
  readonly #pending = new Map<number, Pending>();
  #number = 0;
  #ended: Error | undefined;
  #stderr = '';
  /** Settles with the agent's first line. */
  readonly ready: Promise<void>;

  constructor(agent: SshProcess) {
    this.#process = agent;
    const ready = Promise.withResolvers<void>();
    this.ready = ready.promise;
    agent.stderr.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk).slice(-4096);
    });
    agent.stdio.on('error', (error) => this.#end(error));
    createInterface({ input: agent.stdio }).on('line', (line) => {
      const said = JSON.parse(line) as Answer | Ready;
      if ('ready' in said) ready.resolve();
      else this.#settle(said);
    });
    agent.exited.then(
      ({ exitCode, signal }) => this.#end(new Error(`status ${exitCode ?? signal}`), ready.reject),
      (error: Error) => this.#end(error, ready.reject),
    );
  }

  ask<C extends Command>(
    request: Extract<WithoutNumber<Request>, { readonly command: C }>,
  ): Promise<Answers[C]> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    this.#number += 1;
    const number = this.#number;
    return new Promise((resolve, reject) => {
      this.#pending.set(number, { resolve: resolve as Pending['resolve'], reject });
      this.#process.stdio.write(`${JSON.stringify({ number, ...request })}\n`);
    });
  }

  #settle(answer: Answer): void {
    const pending = this.#pending.get(answer.number);
    this.#pending.delete(answer.number);
    if ('error' in answer) pending?.reject(new Error(answer.error));
    else pending?.resolve(answer.result as never);
  }

  #end(cause: Error, reject?: (error: Error) => void): void {
    const said = this.#stderr.trim();
    this.#ended ??= new Error(
      `Cannot ask the leak detector's agent: it has ended (${cause.message})${said === '' ? '' : `: ${said}`}`,
      { cause },
    );
    reject?.(this.#ended);
    for (const pending of this.#pending.values()) pending.reject(this.#ended);
    this.#pending.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended ??= new Error("Cannot ask the leak detector's agent: it was disposed");
    await this.#process[Symbol.asyncDispose]();
  }
}
