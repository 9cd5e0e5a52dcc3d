import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Allowance, Difference } from '../types.ts';
import { type Change, compare } from './compare.ts';
import { KernelLog } from './kernel.ts';
import { type Eyes, type Look, look } from './look.ts';
import { NftRules } from './nft.ts';
import { Owners } from './owners.ts';
import { ProcessTable } from './processes.ts';
import type { Answer, Answers, Ready, Request } from './protocol.ts';
import type { Things } from './thing.ts';
import { ZfsDatasets } from './zfs.ts';

/** Snapshots that are kept; the oldest goes when there is one more. */
const keptSnapshots = 64;

/**
 * The agent: lives in the host for a whole cell, so that a look costs no process start. Requests come one at a time
 * (the runner awaits each); the end of stdin is its end.
 */
class Agent {
  #eyes: Eyes = {
    processTable: new ProcessTable(process.pid),
    kernelLog: new KernelLog(),
    nft: new NftRules(),
    zfs: new ZfsDatasets(),
    stateFolders: [],
  };
  readonly #kept = new Map<number, Things>();
  #lastId = 0;

  async answer(request: Request): Promise<Answers[keyof Answers]> {
    switch (request.command) {
      case 'configure':
        this.#eyes = { ...this.#eyes, stateFolders: request.stateFolders };
        return null;
      case 'snapshot':
        return this.#snapshot();
      case 'diff':
        return this.#diff(request.since, request.deadlineMs, request.ignore);
      case 'holders':
        return new Owners(await look(this.#eyes)).holders(request.path);
      case 'mountinfo':
        return mountinfo(await look(this.#eyes));
    }
  }

  async #snapshot(): Promise<Answers['snapshot']> {
    const started = performance.now();
    const { things } = await look(this.#eyes);
    return this.#keep(things, started);
  }

  #keep(things: Things, started: number): Answers['snapshot'] {
    this.#lastId += 1;
    this.#kept.set(this.#lastId, things);
    this.#kept.delete(this.#lastId - keptSnapshots);
    const { kernelLog, nft, zfs } = this.#eyes;
    const notLookedAt = [kernelLog, nft, zfs]
      .map(({ unavailable }) => unavailable)
      .filter((text) => text !== undefined);
    return { id: this.#lastId, durationMs: Math.round(performance.now() - started), notLookedAt };
  }

  async #diff(since: number, deadlineMs: number, ignore: readonly Allowance[]): Promise<Answers['diff']> {
    const before = this.#kept.get(since);
    if (before === undefined) throw new Error(`Cannot compare with snapshot ${since}: it is not kept`);
    const allowed = ignore.map(({ kind, what }) => ({ kind, pattern: new RegExp(what) }));
    const end = performance.now() + deadlineMs;
    for (let pause = 25; ; pause = Math.min(2 * pause, 400)) {
      const started = performance.now();
      const now = await look(this.#eyes);
      const changes = compare(before, now.things).filter(
        ({ thing }) => !allowed.some(({ kind, pattern }) => kind === thing.kind && pattern.test(thing.what)),
      );
      const left = end - performance.now();
      if (changes.length === 0 || left <= 0) {
        return { differences: describe(changes, now), look: this.#keep(now.things, started) };
      }
      await sleep(Math.min(pause, left));
    }
  }

  close(): void {
    this.#eyes.nft.close();
  }
}

function describe(changes: readonly Change[], now: Look): Difference[] {
  const owners = new Owners(now);
  return changes.map(({ change, thing, before }) => {
    const { kind } = thing;
    const what = before === undefined ? thing.what : `${thing.what}, was ${before.what}`;
    const owner = change === 'removed' ? undefined : owners.of(thing);
    return owner === undefined ? { kind, what, change } : { kind, what, change, owner };
  });
}

function mountinfo({ tables }: Look): string {
  return tables
    .map(
      ({ namespace, process, text }) => `# ${namespace} of pid ${process.pid} (${process.command})\n${text}`,
    )
    .join('\n');
}

function say(line: Answer | Ready): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const agent = new Agent();
// The connection is lost: nobody reads any more, and nothing here may outlive it.
process.stdout.on('error', () => process.exit(0));
say({ ready: true, pid: process.pid });
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line) as Request;
  try {
    say({ number: request.number, result: await agent.answer(request) });
  } catch (error) {
    say({ number: request.number, error: error instanceof Error ? error.message : String(error) });
  }
}
agent.close();
process.exit(0);
