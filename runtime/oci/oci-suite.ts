import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import { type Form, OciFixture, whyNoOci } from './oci-fixture.ts';

const forms: readonly Form[] = ['stand-alone', 'warm'];

/** Tests of both forms of the command line. */
export function describeOci(name: string, tests: (fixture: () => OciFixture) => void): void {
  for (const form of forms) describeOciForm(`${name}, ${form}`, form, tests);
}

/** Tests with one bundle: after each of them no container and no cgroup may be left. */
export function describeOciForm(name: string, form: Form, tests: (fixture: () => OciFixture) => void): void {
  const title = `${name}${whyNoOci === undefined ? '' : ` (skipped: ${whyNoOci})`}`;
  describe.skipIf(whyNoOci !== undefined)(title, () => {
    let fixture: OciFixture;
    beforeAll(async () => {
      fixture = await OciFixture.create(form);
    });
    afterAll(async () => {
      await fixture[Symbol.asyncDispose]();
    });
    afterEach(async () => {
      const left = fixture.left();
      if (left.length > 0) await fixture.removeAll();
      expect(left).toEqual([]);
    });
    tests(() => fixture);
  });
}
