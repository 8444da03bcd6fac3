/** Axes of at most this many members are unrolled: modalities, short convolution kernels. */
export const UNROLL = 8;
