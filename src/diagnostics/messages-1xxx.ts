/** Messages of 1xxx: what the parser can't read. `got` and `want` come quoted, or as words (`a name`, `the end of the file`). */
export const syntaxMessages = {
  SSM1001: (a: { want: string; got: string }) => `expected ${a.want}, got ${a.got}`,
  SSM1002: (a: { text: string }) => `${a.text} has no meaning in a specification`,
  SSM1003: (a: { got: string }) => `expected an expression, got ${a.got}`,
  /** `after`: the end of what stands before the place. */
  SSM1004: (a: { want: string; open: string; line: number; after?: number }) => `expected ${a.want}, which closes the ${a.open} of line ${a.line}`,
  SSM1005: (a: { got: string }) => `${a.got} closes nothing`,
  SSM1006: (a: { want: string; got: string }) => `expected ${a.want}, got ${a.got}`,
  SSM1007: (a: { text: string }) => `${a.text} isn't a number: write digits, a point between digits and an exponent, such as 16, 0.001 or 1e-5`,
  SSM1008: (_: object) => 'a match needs at least one arm, such as `mean => ...`',
  SSM1010: (a: { limit: number; what: string }) => `more than ${a.limit} ${a.what}`,
  SSM1011: (_: object) => 'comparisons don\'t chain: write `a < b && b < c`',
  SSM1012: (_: object) => 'the string doesn\'t end on its line',
  SSM1013: (_: object) => 'the choices of an option must be plain names',
} as const;
