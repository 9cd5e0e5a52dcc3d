import { Agent, type IncomingMessage, request } from 'node:http';

/**
 * What `docker run --rm` asks of a daemon, as one process of it would: create with AutoRemove, wait for the removal (sent before the start, and
 * answered with its head at once), start. A connection that is free is used again, as Go's HTTP client does: the first has create and wait, a
 * second one start. Resolves when the wait has told the exit status; throws where that is not 0.
 */
export async function runAndRemove(
  socketPath: string,
  image: string,
  command: readonly string[],
): Promise<void> {
  const agent = new Agent({ keepAlive: true });
  const post = (path: string, body?: object) => send({ socketPath, agent, path }, body);
  try {
    const host = { NetworkMode: 'none', AutoRemove: true };
    const { Id } = await jsonOf(
      await post('/containers/create', { Image: image, Cmd: command, HostConfig: host }),
    );
    const waiting = await post(`/containers/${Id}/wait?condition=removed`);
    await textOf(await post(`/containers/${Id}/start`));
    const { StatusCode } = await jsonOf(waiting);
    if (StatusCode !== 0)
      throw new Error(`Cannot run a container: found exit status ${StatusCode}, wanted 0`);
  } finally {
    agent.destroy();
  }
}

/** Resolves with the head of the answer. */
function send(
  { socketPath, agent, path }: { readonly socketPath: string; readonly agent: Agent; readonly path: string },
  body: object | undefined,
): Promise<IncomingMessage> {
  const text = body && JSON.stringify(body);
  const headers = {
    Host: 'bench',
    ...(text ? { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) } : {}),
  };
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, agent, path, method: 'POST', headers }, resolve);
    call.once('error', reject);
    call.end(text);
  });
}

/** Throws with the daemon's words where it refuses. */
async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  if ((answer.statusCode ?? 500) < 300) return text;
  throw new Error(`Cannot run a container: found status ${answer.statusCode}: ${text.trim()}`);
}

async function jsonOf(
  answer: IncomingMessage,
): Promise<{ readonly Id?: string; readonly StatusCode?: number }> {
  return JSON.parse(await textOf(answer));
}
