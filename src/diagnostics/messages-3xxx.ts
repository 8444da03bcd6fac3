/** Messages of 3xxx. */
export const recurrenceMessages = {
} as const;
