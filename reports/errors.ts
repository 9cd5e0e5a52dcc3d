/** What the reports part throws: text as `Cannot <action> <object>: <reason>`, the first cause kept. */
export class ReportError extends Error {
  override readonly name = 'ReportError';
}
