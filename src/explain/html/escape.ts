/** Text as HTML: names and sources come from users, and must stay text wherever they stand. */
const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** For contents and for attributes in quotes. */
export function escaped(text: string): string {
  // What HTML forbids even as an entity is shown as the replacement character.
  return text.replace(/[&<>"']/g, (c) => entities[c] as string).replace(/\p{Cc}/gu, (c) => (c === '\n' || c === '\t' ? c : c === '\r' ? '' : '\ufffd'));
}
/** The end of a long name says most. */
export function shortened(text: string, most: number): string {
  return text.length <= most ? text : `…${text.slice(text.length - most + 1)}`;
}
