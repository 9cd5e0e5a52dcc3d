import { relative } from 'node:path';
import type { SerializedError } from 'vitest';
import type { Reporter } from 'vitest/node';

/** Names what was thrown outside of any test in the words of a failed test, each once: vitest's JSON report leaves it out. */
export default class UnhandledErrorsReporter implements Reporter {
  onTestRunEnd(_modules: unknown, errors: readonly SerializedError[]): void {
    for (const line of new Set(errors.map(describeUnhandled))) console.log(line);
  }
}

/** `failed: some/file.test.ts > its last test: unhandled TimeoutError: too late` */
export function describeUnhandled({ name = 'Error', message, ...error }: SerializedError): string {
  const { VITEST_TEST_PATH: path, VITEST_TEST_NAME: test } = error;
  const where = [typeof path === 'string' && relative(process.cwd(), path), test].filter(Boolean).join(' > ');
  return `failed: ${where || 'no test'}: unhandled ${name}: ${message.split('\n', 1)[0]}`;
}
