/** Counts characters as the API does: Unicode code points, not UTF-16 units. */

export const MAX_CHARACTERS = 5_000;

export function charactersOf(text: string): number {
  let characters = 0;
  for (const _ of text) characters += 1;
  return characters;
}
