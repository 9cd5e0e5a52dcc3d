import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Thing } from './thing.ts';

/**
 * One `nft -j -i` for the agent's whole life: a spawn for each look would cost 100 ms in an emulated guest. Where nft is
 * not installed or does not answer, the reason is said and the rules are not looked at.
 */
export class NftRules {
  #child: ChildProcess | undefined;
  #waiting: ((line: string | undefined) => void)[] = [];
  unavailable: string | undefined;

  constructor(command = 'nft') {
    const child = spawn(command, ['-j', '-i'], { stdio: ['pipe', 'pipe', 'ignore'] });
    this.#child = child;
    child.on('error', (error) => this.#fail(`${command}: ${error.message}`));
    child.on('exit', (code) => this.#fail(`${command}: ended with status ${code}`));
    child.stdin?.on('error', (error) => this.#fail(`${command}: ${error.message}`));
    createInterface({ input: child.stdout }).on('line', (line) => {
      // Interactive nft may print its prompt before the answer.
      const start = line.indexOf('{');
      if (start >= 0) this.#waiting.shift()?.(line.slice(start));
    });
  }

  /** Ask first and read later: nft works while the agent looks at the rest. */
  async look(): Promise<Thing[]> {
    if (this.unavailable !== undefined) return [];
    const line = await new Promise<string | undefined>((resolve) => {
      const timer = setTimeout(() => this.#fail('nft: no answer within 5 s'), 5000);
      this.#waiting.push((answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      this.#child?.stdin?.write('list ruleset\n');
    });
    return line === undefined ? [] : nftThings(line);
  }

  #fail(reason: string): void {
    this.unavailable ??= reason;
    this.close();
    for (const resolve of this.#waiting.splice(0)) resolve(undefined);
  }

  close(): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }
}

/** `nft -j list ruleset` as things, without handles and counters, which change by themselves. */
export function nftThings(json: string): Thing[] {
  const parsed = JSON.parse(json) as { nftables: Record<string, unknown>[] };
  const counts = new Map<string, number>();
  return parsed.nftables.flatMap((object): Thing[] => {
    const [[type, value] = ['', {}]] = Object.entries(object);
    if (type === 'metainfo') return [];
    const text = JSON.stringify(value, (key, inner: unknown) =>
      ['handle', 'packets', 'bytes'].includes(key) ? undefined : inner,
    );
    const what = `${type} ${describe(value as NftObject) ?? text}`;
    const count = (counts.get(text) ?? 0) + 1;
    counts.set(text, count);
    return [{ kind: 'nft', id: `${type} ${text} #${count}`, like: `${type} ${text}`, what }];
  });
}

type NftObject = { readonly family?: string; readonly table?: string; readonly name?: string };

/** `inet filter input` for objects with a name; rules have none and are shown as they are. */
function describe({ family, table, name }: NftObject): string | undefined {
  if (name === undefined) return undefined;
  return [family, table, name].filter((part) => part !== undefined).join(' ');
}
