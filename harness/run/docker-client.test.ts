import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { DockerClient } from './docker-client.ts';

async function serve(listener: RequestListener): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'docker-client-'));
  const path = join(folder, 'api.sock');
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true });
  });
  return path;
}

const json =
  (body: unknown): RequestListener =>
  (_, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
  };

it('answers many calls at once', async () => {
  const path = await serve(json({ Id: 'x', State: { Running: true } }));
  const { docker } = new DockerClient(path, new AbortController().signal);
  const answers = await Promise.all(Array.from({ length: 50 }, () => docker.getContainer('x').inspect()));
  expect(answers.every(({ Id }) => Id === 'x')).toBe(true);
});

it('fails a call whose response is cut in the middle', async () => {
  const path = await serve((request, response) => {
    response.writeHead(200, { 'content-length': '100' }).write('{"Id": ');
    setTimeout(() => request.socket.destroy(), 20);
  });
  const { docker } = new DockerClient(path, new AbortController().signal);
  await expect(docker.getContainer('x').inspect()).rejects.toThrow(
    'GET /containers/x/json: the connection was closed',
  );
});

it('fails a call that gets no answer when the connection is closed', async () => {
  const path = await serve((request) => request.socket.destroy());
  const { docker } = new DockerClient(path, new AbortController().signal);
  await expect(docker.ping()).rejects.toMatchObject({ code: 'ECONNRESET' });
});

it('fails waiting calls with the reason of the signal, and later ones at once', async () => {
  const path = await serve(() => {});
  const controller = new AbortController();
  const client = new DockerClient(path, controller.signal);
  const waiting = client.docker.getContainer('x').wait();
  setTimeout(() => controller.abort(new Error('time is up')), 20);
  await expect(waiting).rejects.toThrow('time is up');
  await expect(client.docker.ping()).rejects.toThrow('time is up');
  await client.endCalls(new Error('over'));
});

it('ends open streams and awaits their connections', async () => {
  const path = await serve((_, response) => response.writeHead(200).write('log line\n'));
  const client = new DockerClient(path, new AbortController().signal);
  const stream = await client.docker.getContainer('x').logs({ follow: true, stdout: true });
  const closed = new Promise((resolve) => stream.once('close', resolve));
  stream.resume();
  stream.on('error', () => {});
  await client.endCalls(new Error('over'));
  await closed;
});
