/** Messages of 3xxx: recurrences and stability. */
export const recurrenceMessages = {
  SSM3101: (a: { cycle: string }) => `these depend on each other at the same step: ${a.cycle}`,
  /** `mark`: the definition is an equation that can be marked where it stands. */
  SSM3102: (a: { names: string; mark?: boolean }) => `${a.names} ${a.names.includes(',') ? 'read their' : 'reads its'} own past: ${a.mark ? 'mark one of them as `state`' : "an output can't be a state, so write the recurrence as a `state` equation of its own"}`,
  SSM3103: (a: { name: string }) => `state \`${a.name}\` doesn't read itself at another step`,
  SSM3104: (a: { names: string }) => `the recurrence of ${a.names} reads both the past and the future`,
  SSM3105: (a: { name: string }) => `\`initial\` is for states, and has no t: \`${a.name}\` is not one`,
  SSM3106: (a: { name: string }) => `\`${a.name}\` is part of a recurrence and can't reduce over time`,
  SSM3201: (a: { state: string; bound: string; step: number }) => `the states of \`${a.state}\` can grow by up to ${a.bound} a step: float32 overflows after ${a.step} steps`,
  SSM3301: (a: { state: string; why: string }) => `\`${a.state}\` runs step by step: ${a.why}`,
} as const;
