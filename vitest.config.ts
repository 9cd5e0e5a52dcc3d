import { defineConfig } from 'vitest/config';

const roots = '{runtime,harness,scenarios,reports,scripts}';

export default defineConfig({
  test: {
    projects: [
      {
        // Pure: no root, no kernel features, nothing outside a temporary folder.
        test: {
          name: 'unit',
          include: [`${roots}/**/*.test.ts`],
          exclude: ['**/*.kernel.test.ts', '**/*.guest.test.ts', '**/*.browser.test.ts'],
          // Some start programs; a limit is for what hangs, not for a busy machine.
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        // On this machine's own kernel. One file after the other: each compares the host before and after itself.
        test: {
          name: 'kernel',
          include: [`${roots}/**/*.kernel.test.ts`, `${roots}/**/*.browser.test.ts`],
          fileParallelism: false,
          testTimeout: 60_000,
          // For emulated guests too: the command line's, which they have for tests, does not reach projects.
          hookTimeout: 600_000,
          expect: { poll: { timeout: 50_000 } },
          // One kernel, shared with whatever else the machine does: CI tries again, and names what needed it as flaky.
          retry: process.env.CI ? 1 : 0,
        },
      },
      {
        // In guests that the test boots; `vitest run --project guest` only.
        test: {
          name: 'guest',
          include: [`${roots}/**/*.guest.test.ts`],
          fileParallelism: false,
          testTimeout: 900_000,
          hookTimeout: 900_000,
        },
      },
    ],
  },
});
