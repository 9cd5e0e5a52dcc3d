import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

/** The agent as one file of plain JavaScript that needs nothing but Node's own modules: some 30 kB. */
export async function bundleLeakAgent(): Promise<string> {
  const input = fileURLToPath(new URL('./agent/main.ts', import.meta.url));
  const bundle = await rolldown({ input, platform: 'node' });
  try {
    const { output } = await bundle.generate({ format: 'es' });
    return output[0].code;
  } finally {
    await bundle.close();
  }
}
