import { z } from 'zod';

const Report = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numFailedTestSuites: z.number(),
  testResults: z.array(
    z.object({ assertionResults: z.array(z.object({ fullName: z.string(), status: z.string() })) }),
  ),
});

/** What one run of vitest came to. */
export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly string[];
}

/** A run that could not start has failed: vitest says itself why, and the count is still a line that CI can read. */
export const couldNotStart: TestCounts = { passed: 0, failed: 1, skipped: [] };

/** Reads the text that vitest's JSON reporter wrote. Throws where it is not one. */
export function readTestReport(text: string): TestCounts {
  const report = Report.parse(JSON.parse(text));
  const skipped = report.testResults.flatMap(({ assertionResults }) =>
    assertionResults
      .filter(({ status }) => status !== 'passed' && status !== 'failed')
      .map(({ fullName }) => fullName),
  );
  // A file that does not load has failed without a test to count.
  const failed = report.numFailedTests || Math.min(report.numFailedTestSuites, 1);
  return { passed: report.numPassedTests, failed, skipped };
}

/** `3 passed, 0 failed, 1 skipped` */
export function describeCounts({ passed, failed, skipped }: TestCounts): string {
  return `${passed} passed, ${failed} failed, ${skipped.length} skipped`;
}
