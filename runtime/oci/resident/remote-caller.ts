import { closeSync, read, writeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { codeOf, HullError } from '../../base/errors.ts';
import { killProcess } from '../../cgroups/processes.ts';
import type { Hands } from '../../launch/hands.ts';
import type { ProgramCache } from '../../launch/program-cache.ts';
import { parseRecords } from '../../launch/records.ts';
import { sealedImage } from '../../launch/spawn.ts';
import { createPipe, decodeWaitStatus } from '../../sys/process.ts';
import { sendWithDescriptors } from '../../sys/unix-rights.ts';
import { type Caller, OwnProcessNeeded } from '../caller.ts';
import type { ForegroundWait } from '../wait-in-foreground.ts';
import { ownDescriptors } from './compile-client.ts';
import { answerSize, command, commandBytes, longestWrite } from './protocol.ts';

const readSome = promisify(read);

/** What a program has made whose client is gone, when it has told: nobody else knows of it. */
async function killFirst(recordPipe: number): Promise<void> {
  const bytes = Buffer.alloc(65536);
  for (let length = 0; ; ) {
    const { bytesRead } = await readSome(recordPipe, bytes, length, bytes.length - length, null);
    length += bytesRead;
    if (bytesRead > 0) continue;
    const pid = parseRecords(bytes.subarray(0, length)).find((each) => each.kind === 'pid')?.pid;
    if (pid !== undefined) killProcess(pid);
    return;
  }
}

/** A client that waits for commands: it starts the programs, is their parent, and says what is to be said. */
export class RemoteCaller implements Caller {
  readonly hands: Hands;
  readonly #socket: Socket;
  readonly #descriptor: number;
  readonly #cwd: string;
  #answer: PromiseWithResolvers<bigint> | undefined;
  #gone: Error | undefined;
  #bytes = Buffer.alloc(0);

  /** @param descriptor the socket's */
  constructor(socket: Socket, descriptor: number, cwd: string, programs: ProgramCache) {
    this.#socket = socket;
    this.#descriptor = descriptor;
    this.#cwd = cwd;
    socket.on('data', (data) => this.#take(data));
    socket.on('error', () => this.#lose());
    socket.on('close', () => this.#lose());
    this.hands = {
      programs,
      spawn: (image, { name, record, extra }) => this.#spawn(image, name, record, extra),
      // The client has waited for the program, and what else it is the parent of ends with it.
      reap: () => {},
    };
  }

  /** From here on the client counts on us. */
  accept(): void {
    this.#send(commandBytes(command.accepted));
  }

  exit(status: number): void {
    this.#send(commandBytes(command.exit, status));
    this.#socket.end();
  }

  alone(): void {
    this.#send(commandBytes(command.alone));
    this.#socket.end();
  }

  /** It is the launch programs' parent: they have its limits. */
  openFiles(): undefined {
    return undefined;
  }

  path(word: string): string {
    return resolve(this.#cwd, word);
  }

  write(stream: 1 | 2, text: string): void {
    const bytes = Buffer.from(text);
    for (let offset = 0; offset < bytes.length; offset += longestWrite) {
      const part = bytes.subarray(offset, offset + longestWrite);
      this.#send(Buffer.concat([commandBytes(command.write, stream, part.length), part]));
    }
  }

  async standInForeground(): Promise<ForegroundWait> {
    return async (pid) => {
      const status = Number(await this.#ask(command.wait, pid));
      // Somebody else has taken it: as with a process of one's own that is no child.
      return status < 0 ? 0 : decodeWaitStatus(status).exitCode;
    };
  }

  needOwnProcess(reason: string): void {
    throw new OwnProcessNeeded(reason);
  }

  async #spawn(image: Buffer, name: string, record: number, extra: number) {
    if (record + 2 > ownDescriptors) throw new OwnProcessNeeded('too many preserved descriptors');
    const file = sealedImage(image, name);
    if (file === undefined) throw new OwnProcessNeeded('vm.memfd_noexec forbids executable memory files');
    const pipe = createPipe();
    let pid: number;
    try {
      const answer = this.#ask(command.spawn, record, record + 1, [file, pipe.write, extra, pipe.read]);
      for (const fd of [file, pipe.write]) closeSync(fd);
      pid = Number(await answer);
      if (pid < 0)
        throw new HullError(`Cannot start ${name}: the client cannot clone: ${pid}`, { kind: 'exhausted' });
    } catch (error) {
      await killFirst(pipe.read).finally(() => closeSync(pipe.read));
      throw error;
    }
    return { pid, recordPipe: pipe.read };
  }

  async #ask(
    number: number,
    first: number,
    second = 0,
    descriptors: readonly number[] = [],
  ): Promise<bigint> {
    if (this.#gone) throw this.#gone;
    this.#answer = Promise.withResolvers();
    const bytes = commandBytes(number, first, second);
    if (descriptors.length === 0) this.#send(bytes);
    else sendWithDescriptors(this.#descriptor, bytes, descriptors);
    return await this.#answer.promise;
  }

  /** Mostly the client waits for it, and it goes out at once; what it is too slow for waits in Node's queue. */
  #send(bytes: Buffer): void {
    if (this.#socket.destroyed) return;
    let sent = 0;
    try {
      if (this.#socket.writableLength === 0) sent = writeSync(this.#descriptor, bytes);
    } catch (error) {
      if (codeOf(error) !== 'EAGAIN') this.#lose();
    }
    if (sent < bytes.length) this.#socket.write(bytes.subarray(sent));
  }

  #take(data: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, data]);
    if (this.#bytes.length < answerSize) return;
    const value = this.#bytes.readBigInt64LE(8);
    this.#bytes = this.#bytes.subarray(answerSize);
    this.#answer?.resolve(value);
  }

  #lose(): void {
    this.#gone ??= new HullError('Cannot go on: the client has ended', { kind: 'internal' });
    this.#answer?.reject(this.#gone);
  }
}
