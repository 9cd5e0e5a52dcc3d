import { buildImage } from '../build/build-image.ts';
import { readBuildRequest } from '../build/build-request.ts';
import { CommandFailed } from '../build/failure.ts';
import { BuildOutput } from '../build/output.ts';
import type { Engine } from '../containers/engine.ts';
import type { Call } from './call.ts';
import { streamLines } from './progress-stream.ts';

/** POST /build: the context is the body, the answer the build's progress. */
export async function serveBuild(engine: Engine, call: Call): Promise<void> {
  const header = call.request.headers['x-registry-config'];
  const request = readBuildRequest(call.query, Array.isArray(header) ? header[0] : header);
  await streamLines(call, async (write) => {
    const output = new BuildOutput(write, request);
    try {
      const id = await buildImage(engine, { context: call.request, request, output, signal: call.signal });
      if (request.quiet) output.result(`${id}\n`);
    } catch (error) {
      output.release();
      if (!(error instanceof CommandFailed)) throw error;
      // The client ends with the command's exit code.
      const { message, exitCode } = error;
      write({ errorDetail: { code: exitCode, message }, error: message });
    }
  });
}
