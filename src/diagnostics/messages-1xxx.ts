/** Messages of 1xxx. */
export const syntaxMessages = {
} as const;
