import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Holds an exclusive lock between processes. It is an flock held by a child that ends with its standard input, so the
 * lock is free again however this process dies. `onWait` is called once when another process has it.
 */
export async function takeLock(
  path: string,
  { signal, onWait }: { readonly signal: AbortSignal; readonly onWait: () => void },
): Promise<AsyncDisposable> {
  await mkdir(dirname(path), { recursive: true });
  // Detached: Ctrl-C in a terminal reaches this process, which then decides; the lock is not to go first.
  const child = spawn('flock', ['--exclusive', path, 'sh', '-c', 'echo locked; exec cat >/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  });
  child.stdin.on('error', () => {});
  const exited = once(child, 'exit');
  const failed = exited.then(([code]) => {
    throw new Error(`Cannot lock ${path}: flock ended with status ${code}`);
  });
  failed.catch(() => {});
  const waiting = setTimeout(onWait, 300);
  const release = async () => {
    child.stdin.end();
    await exited;
  };
  const abort = () => {
    // The group: flock waits for the lock, or its child holds it.
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  };
  signal.addEventListener('abort', abort);
  try {
    signal.throwIfAborted();
    await Promise.race([once(child.stdout, 'data'), failed]);
  } catch (error) {
    child.stdin.end();
    signal.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(waiting);
    signal.removeEventListener('abort', abort);
  }
  return { [Symbol.asyncDispose]: release };
}
