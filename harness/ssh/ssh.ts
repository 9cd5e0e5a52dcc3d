import type { Duplex, Readable } from 'node:stream';
import type { ShellUser } from './interactive-shell.ts';

/**
 * # SSH
 *
 * Every word to a host goes through here, over one connection that lives for a whole cell. Commands are argv arrays;
 * quoting happens in one place. A command that is no longer wanted (time is up, signal aborted) is killed on the host
 * with its process group. A connection that is lost ends every call on it with the reason, at once, and `lost` tells.
 *
 * @example
 * await using ssh = await connectSsh(address, { signal, deadlineMs: 30_000 });
 * const kernel = (await ssh.ok(['uname', '-r'])).trim();
 */
export interface Ssh extends AsyncDisposable {
  /** Runs to the end. Never throws for an exit status: the result says it. Throws when the connection is lost or `signal` aborts. */
  run(argv: readonly string[], options?: SshRunOptions): Promise<SshResult>;
  /** Like run, but a status other than 0 is a SshCommandError carrying the whole result. Answers stdout. */
  ok(argv: readonly string[], options?: SshRunOptions): Promise<string>;
  /** A long-lived command with its streams (a resident agent, a tail). Closing the duplex ends the command's stdin. */
  spawn(argv: readonly string[]): Promise<SshProcess>;
  /** Uploads one file (mode kept), replacing atomically. Makes the folders above it. */
  upload(localPath: string, remotePath: string, options?: SshFileOptions): Promise<void>;
  /** Replaces a file atomically (mode 0644 if not told). Makes the folders above it. */
  writeFile(remotePath: string, data: string | Uint8Array, options?: SshFileOptions): Promise<void>;
  readFile(remotePath: string): Promise<string>;
  /** The login shell, in the user's hands, until it or `signal` ends it. Answers its exit status; undefined where it had none. */
  shell(user: ShellUser, signal?: AbortSignal): Promise<number | undefined>;
  /**
   * Listens on a local unix socket and pipes each connection to the remote unix socket
   * (openssh_forwardOutStreamLocal). Disposing closes the listener and removes the socket file.
   */
  forwardUnix(remoteSocket: string, localSocket: string): Promise<AsyncDisposable>;
  /** Aborted when the connection is lost, with the error as reason. Not by disposing. */
  readonly lost: AbortSignal;
}

export interface SshFileOptions {
  readonly mode?: number;
  readonly signal?: AbortSignal;
}

export interface SshRunOptions {
  readonly input?: string | Uint8Array;
  /** The command is killed then, and the result says `timedOut`. */
  readonly timeoutMs?: number;
  /** Aborting kills the command and rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface SshResult {
  readonly argv: readonly string[];
  readonly stdout: string;
  readonly stderr: string;
  /** Undefined when a signal ended it. */
  readonly exitCode: number | undefined;
  /** `SIGKILL`. */
  readonly signal: string | undefined;
  readonly timedOut: boolean;
  readonly durationMs: number;
}

export interface SshProcess extends AsyncDisposable {
  /** Reads the command's stdout, writes its stdin. */
  readonly stdio: Duplex;
  readonly stderr: Readable;
  /** Rejects when the connection is lost before the command ended. */
  readonly exited: Promise<SshExit>;
  /** Sends a signal to the command's process group. */
  kill(signal?: SshSignal): void;
}

export interface SshExit {
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
}

/** Names as `kill -s` knows them. */
export type SshSignal = 'HUP' | 'INT' | 'KILL' | 'TERM' | 'QUIT' | 'USR1' | 'USR2';

export interface SshAddress {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly privateKeyPath: string;
}
