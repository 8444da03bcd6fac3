/** Messages of 4xxx. */
export const targetMessages = {
  SSM4101: (a: { state: string; why: string }) => `\`${a.state}\` can't be run in chunks: ${a.why}`,
  SSM4102: (a: { bytes: number; limit: number; when: string }) => `the model needs ${a.bytes} bytes of memory ${a.when}; ${a.limit} can be addressed`,
  SSM4103: (a: { state: string; why: string }) => `\`${a.state}\` can't be run as a convolution: ${a.why}`,
  SSM4201: (a: { what: string; need: number; limit: number }) => `WebGPU's default limits don't hold this model: ${a.what} needs ${a.need}, the limit is ${a.limit}`,
} as const;
