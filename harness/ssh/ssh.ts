import type { Duplex, Readable } from 'node:stream';

/** Every word to a host goes through here. Commands are argv arrays; quoting happens in one place. */
export interface Ssh extends AsyncDisposable {
  /** Runs to the end. Never throws for an exit status: the result says it. Throws when the connection is lost or `signal` aborts. */
  run(argv: readonly string[], options?: SshRunOptions): Promise<SshResult>;
  /** Like run, but a status other than 0 is a SshCommandError carrying the whole result. Answers stdout. */
  ok(argv: readonly string[], options?: SshRunOptions): Promise<string>;
  /** A long-lived command with its streams (a resident agent, a tail). Closing the duplex ends the command's stdin. */
  spawn(argv: readonly string[]): Promise<SshProcess>;
  /** Uploads one file (mode kept), replacing atomically. */
  upload(localPath: string, remotePath: string, options?: { readonly mode?: number }): Promise<void>;
  writeFile(
    remotePath: string,
    data: string | Uint8Array,
    options?: { readonly mode?: number },
  ): Promise<void>;
  readFile(remotePath: string): Promise<string>;
  /**
   * Listens on a local unix socket and pipes each connection to the remote unix socket
   * (openssh_forwardOutStreamLocal). Disposing closes the listener and removes the socket file.
   */
  forwardUnix(remoteSocket: string, localSocket: string): Promise<AsyncDisposable>;
  /** Aborted when the connection is lost. */
  readonly lost: AbortSignal;
}

export interface SshRunOptions {
  readonly input?: string | Uint8Array;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface SshResult {
  readonly argv: readonly string[];
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  readonly timedOut: boolean;
  readonly durationMs: number;
}

export interface SshProcess extends AsyncDisposable {
  readonly stdio: Duplex;
  readonly stderr: Readable;
  readonly exited: Promise<{ readonly exitCode: number | undefined; readonly signal: string | undefined }>;
}
