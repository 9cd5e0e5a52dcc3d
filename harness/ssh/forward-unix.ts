import { rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import type { Client, ClientChannel } from 'ssh2';

/**
 * Each connection to `localSocket` becomes one to `remoteSocket` on the host. A connection the host refuses is closed
 * at once. Half-closed connections stay open the other way: `docker attach` and `exec` need that.
 */
export async function forwardUnix(
  client: Client,
  remoteSocket: string,
  localSocket: string,
): Promise<AsyncDisposable> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => socket.destroy());
    try {
      client.openssh_forwardOutStreamLocal(remoteSocket, (error, channel) => {
        if (error || socket.destroyed) {
          channel?.destroy();
          socket.destroy();
        } else join(socket, channel);
      });
    } catch {
      socket.destroy();
    }
  });
  const drop = () => {
    for (const socket of open) socket.destroy();
  };
  client.on('close', drop);
  await rm(localSocket, { force: true });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(localSocket, resolve);
  await promise;
  return {
    [Symbol.asyncDispose]: async () => {
      client.off('close', drop);
      const closed = new Promise<void>((done) => {
        server.close(() => done());
      });
      drop();
      await closed;
      await rm(localSocket, { force: true });
    },
  };
}

function join(socket: Socket, channel: ClientChannel): void {
  socket.pipe(channel);
  channel.pipe(socket);
  channel.on('error', () => socket.destroy());
  channel.on('close', () => socket.destroySoon());
  socket.on('close', () => channel.close());
  socket.resume();
}
