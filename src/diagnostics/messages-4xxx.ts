/** Messages of 4xxx. */
export const targetMessages = {
} as const;
