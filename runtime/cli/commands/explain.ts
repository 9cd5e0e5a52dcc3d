import { getJson } from '../api-client.ts';
import { fieldOf } from '../fields.ts';

/** Prints the compiled start program of a container. */
export async function explainCommand(socketPath: string, container: string): Promise<void> {
  const answer = await getJson(socketPath, `/containers/${encodeURIComponent(container)}/explain`);
  process.stdout.write(fieldOf(answer, 'Text'));
}
