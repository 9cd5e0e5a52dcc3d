import { printable } from '../text.ts';

/** Markup that is known to be safe. Only `html` makes one from text, and it escapes everything that is not one already. */
export class Markup {
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }
}

export type Part = Markup | string | number | false | undefined | readonly Part[];

/** `html`<b>${text}</b>``: text is made printable and escaped, for element content and for quoted attributes. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return new Markup(strings.map((text, index) => text + write(parts[index])).join(''));
}

function write(part: Part): string {
  if (part === undefined || part === false) return '';
  if (part instanceof Markup) return part.source;
  if (typeof part === 'string' || typeof part === 'number')
    return escapeHtml(printable(String(part).toWellFormed()));
  return part.map(write).join('');
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"'`]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** JSON that no text can end the script element of, https://html.spec.whatwg.org/#restrictions-for-contents-of-script-elements. */
export function jsonForScript(value: unknown): string {
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
