import { expect, it } from 'vitest';
import { describeCounts, readTestReport } from './test-report.ts';
import { describeUnhandled } from './unhandled-errors-reporter.ts';

interface Run {
  readonly failed?: number;
  readonly failedFiles?: number;
  readonly file?: object;
  readonly tests?: readonly object[];
  readonly exitCode?: number;
}

const read = ({ failed = 0, failedFiles = 0, file, tests = [], exitCode = failedFiles ? 1 : 0 }: Run) =>
  readTestReport(
    JSON.stringify({
      numPassedTests: 2,
      numFailedTests: failed,
      numFailedTestSuites: failedFiles,
      testResults: [
        {
          name: `${process.cwd()}/some/file.test.ts`,
          status: failedFiles ? 'failed' : 'passed',
          message: '',
          assertionResults: tests,
          ...file,
        },
      ],
    }),
    exitCode,
  );

it.each([
  [0, 0, '2 passed, 0 failed, 1 skipped'],
  [3, 1, '2 passed, 3 failed, 1 skipped'],
  [0, 2, '2 passed, 1 failed, 1 skipped'],
])('%i failed tests in %i failed files', (failed, failedFiles, words) => {
  const tests = [
    { fullName: 'a', status: 'passed', failureMessages: [] },
    { fullName: 'b', status: 'pending', failureMessages: [] },
  ];
  expect(describeCounts(read({ failed, failedFiles, tests }))).toBe(words);
});

it('names what failed, and what passed only when tried again, in one line', () => {
  const failureMessages = ['Error: no room\n    at somewhere', 'Error: no room'];
  const { remarks } = read({
    failed: 1,
    failedFiles: 1,
    tests: [
      { fullName: 'a', status: 'passed', failureMessages: [] },
      { fullName: 'b', status: 'passed', failureMessages },
      { fullName: 'c', status: 'failed', failureMessages },
    ],
  });
  expect(remarks).toEqual([
    'flaky: some/file.test.ts > b: Error: no room',
    'failed: some/file.test.ts > c: Error: no room',
  ]);
});

it('names a file that did not load', () => {
  const { remarks } = read({ failedFiles: 1, file: { message: 'SyntaxError: no\nmore' } });
  expect(remarks).toEqual(['failed: some/file.test.ts: SyntaxError: no']);
});

it('counts a run that failed although no test did, and names what was thrown', () => {
  expect(describeCounts(read({ exitCode: 1 }))).toBe('2 passed, 1 failed, 0 skipped');
  const error = { name: 'TimeoutError', message: 'too late\nby far' };
  const inTest = { VITEST_TEST_PATH: `${process.cwd()}/some/file.test.ts`, VITEST_TEST_NAME: 'a' };
  expect(describeUnhandled({ ...error, ...inTest })).toBe(
    'failed: some/file.test.ts > a: unhandled TimeoutError: too late',
  );
  expect(describeUnhandled(error)).toBe('failed: no test: unhandled TimeoutError: too late');
});
