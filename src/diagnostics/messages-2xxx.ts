/** Messages of 2xxx. */
export const nameMessages = {
} as const;
