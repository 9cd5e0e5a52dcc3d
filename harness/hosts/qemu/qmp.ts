import { EventEmitter } from 'node:events';
import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';

export interface QmpEvent {
  readonly event: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

/**
 * QEMU's control protocol (docs/interop/qmp-spec): one JSON object a line, answers in the order of their ids, events
 * in between. The stream is a socket pair made with the process, so it ends with it.
 */
export class Qmp {
  readonly #stream: Duplex;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #events = new EventEmitter<{ event: [QmpEvent] }>();
  #next = 1;
  #end: Error | undefined;

  private constructor(stream: Duplex) {
    this.#stream = stream;
    stream.on('error', (error) => this.#close(error));
    stream.on('close', () => this.#close(new Error('QEMU closed its control socket')));
    const lines = createInterface({ input: stream });
    lines.on('line', (line) => this.#receive(line));
    // readline passes on the errors of its input.
    lines.on('error', () => {});
  }

  /** Commands can be sent at once: QEMU reads them after its greeting. */
  static async open(stream: Duplex): Promise<Qmp> {
    const qmp = new Qmp(stream);
    await qmp.execute('qmp_capabilities');
    return qmp;
  }

  onEvent(listener: (event: QmpEvent) => void): void {
    this.#events.on('event', listener);
  }

  /** The command's `return`. Errors: QEMU's own words; the end of QEMU; no answer within `timeoutMs`. */
  async execute(command: string, args?: object, { timeoutMs = 30_000 } = {}): Promise<unknown> {
    if (this.#end) throw this.#end;
    const id = this.#next++;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(id, waiting);
    const timer = setTimeout(
      () => waiting.reject(new Error(`Cannot ${command}: QEMU did not answer within ${timeoutMs / 1000} s`)),
      timeoutMs,
    );
    this.#stream.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    try {
      return await waiting.promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  /** The answer of a command of the human monitor, for what QMP cannot say. */
  async monitor(line: string): Promise<string> {
    return String(await this.execute('human-monitor-command', { 'command-line': line }));
  }

  #receive(line: string): void {
    const message: {
      id?: number;
      return?: unknown;
      error?: { desc?: string };
      event?: string;
      data?: Record<string, unknown>;
    } = JSON.parse(line);
    if (message.event !== undefined) {
      this.#events.emit('event', {
        event: message.event,
        ...(message.data === undefined ? {} : { data: message.data }),
      });
    }
    if (message.id === undefined) return;
    const waiting = this.#waiting.get(message.id);
    if (message.error) waiting?.reject(new Error(`QEMU: ${message.error.desc ?? 'unknown error'}`));
    else waiting?.resolve(message.return);
  }

  #close(error: Error): void {
    this.#end ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#end);
  }
}
