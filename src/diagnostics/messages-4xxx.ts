/** Messages of 4xxx. */
export const targetMessages = {
  SSM4101: (a: { state: string; why: string }) => `\`${a.state}\` can't be run in chunks: ${a.why}`,
} as const;
