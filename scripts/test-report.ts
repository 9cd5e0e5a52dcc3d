import { relative } from 'node:path';
import { z } from 'zod';

const Report = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numFailedTestSuites: z.number(),
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string(),
      assertionResults: z.array(
        z.object({ fullName: z.string(), status: z.string(), failureMessages: z.array(z.string()) }),
      ),
    }),
  ),
});

/** What one run of vitest came to. */
export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly string[];
  /** What a person who sees only the end of a log must know: `failed: <file> > <test>: <first line of why>`. */
  readonly remarks: readonly string[];
}

/** A run that could not start has failed: vitest says itself why, and the count is still a line that CI can read. */
export const couldNotStart: TestCounts = { passed: 0, failed: 1, skipped: [], remarks: [] };

/** Reads the text that vitest's JSON reporter wrote before it ended with `exitCode`. Throws where it is not one. */
export function readTestReport(text: string, exitCode: number | undefined): TestCounts {
  const report = Report.parse(JSON.parse(text));
  const skipped: string[] = [];
  const remarks: string[] = [];
  for (const { name, status, message, assertionResults } of report.testResults) {
    const file = relative(process.cwd(), name);
    if (status === 'failed' && assertionResults.every((test) => test.status !== 'failed'))
      remarks.push(`failed: ${file}: ${firstLine(message)}`);
    for (const { fullName, status: outcome, failureMessages } of assertionResults) {
      const why = firstLine(failureMessages[0] ?? '');
      if (outcome === 'failed') remarks.push(`failed: ${file} > ${fullName}: ${why}`);
      // A test that passed has messages where only a retry passed.
      else if (outcome === 'passed' && why !== '') remarks.push(`flaky: ${file} > ${fullName}: ${why}`);
      else if (outcome !== 'passed') skipped.push(fullName);
    }
  }
  // A file that does not load, and an error outside of any test, have failed without a test to count.
  const failed = report.numFailedTests || Number(report.numFailedTestSuites > 0 || exitCode !== 0);
  return { passed: report.numPassedTests, failed, skipped, remarks };
}

const firstLine = (text: string) => text.split('\n', 1)[0] ?? '';

/** `3 passed, 0 failed, 1 skipped` */
export function describeCounts({ passed, failed, skipped }: TestCounts): string {
  return `${passed} passed, ${failed} failed, ${skipped.length} skipped`;
}
