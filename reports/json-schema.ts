import { z } from 'zod';
import { Results } from './schema.ts';

/** The JSON Schema of results.json, as published in `reports/results.schema.json`. Readers allow fields they do not know. */
export function resultsJsonSchema(): string {
  const { $schema, ...schema } = z.toJSONSchema(Results, { io: 'input' });
  return `${JSON.stringify({ $schema, title: 'seatrial results.json', ...schema }, null, 2)}\n`;
}
