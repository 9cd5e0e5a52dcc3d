/** A field of an answer as text; '' where it is not there. */
export function fieldOf(value: unknown, name: string): string {
  if (typeof value !== 'object' || value === null) return '';
  const field: unknown = Reflect.get(value, name);
  return field === undefined || field === null ? '' : String(field);
}
